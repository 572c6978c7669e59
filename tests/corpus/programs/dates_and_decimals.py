"""Loans in decimals, working days by dates, and statistics; the decimal context is changed."""

import datetime
import decimal
import statistics
from decimal import Decimal

SCALE = 4320


def plan(amount, rate, months):
    decimal.getcontext().prec = 12
    monthly = rate / 12
    payment = amount * monthly / (1 - (1 + monthly) ** -months)
    payment = payment.quantize(Decimal("0.01"), rounding=decimal.ROUND_UP)
    left, month = amount, 0
    while left > 0:
        month += 1
        interest = (left * monthly).quantize(Decimal("0.01"))
        paid = min(payment, left + interest)
        left = left + interest - paid
        yield month, interest, paid, left


def working_days(start, n, holidays):
    day = start
    while n:
        day += datetime.timedelta(days=1)
        if day.weekday() >= 5 or day in holidays:
            continue
        n -= 1
        yield day


def root(x, places):
    with decimal.localcontext() as context:
        context.prec = places + 5
        guess = x / 2
        for _ in range(12):
            guess = (guess + x / guess) / 2
        for _ in range(2):
            guess = +guess
        return guess.quantize(Decimal(10) ** -places)


for i in range(SCALE):
    total = Decimal(0)
    for month, interest, paid, left in plan(Decimal(1000 + i * 10), Decimal("0.05"), 6 + i % 7):
        total += interest
        print(month, interest, paid, left)
    print(total, root(Decimal(i + 2), 20 + i % 10))
    start = datetime.date(2024, 1, 1) + datetime.timedelta(days=i)
    days = list(working_days(start, 5, {datetime.date(2024, 1, 9)}))
    gaps = [(b - a).days for a, b in zip(days, days[1:])]
    print(*days, statistics.mean(gaps), statistics.pstdev(gaps))
