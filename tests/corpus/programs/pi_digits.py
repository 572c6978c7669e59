"""Digits of pi by the spigot as an endless generator, and of e by long division in lists."""

import itertools

SCALE = 91


def pi_digits():
    q, r, t, k, n, m = 1, 0, 1, 1, 3, 3
    while True:
        if 4 * q + r - t < n * t:
            yield n
            q, r, n = 10 * q, 10 * (r - n * t), 10 * (3 * q + r) // t - 10 * n
        else:
            q, r, t, n = q * k, (2 * q + r) * m, t * m, (q * (7 * k + 2) + r * m) // (t * m)
            k += 1
            m += 2


def e_digits(count):
    terms = [1] * (count + 10)
    digits = []
    for _ in range(count):
        carry = 0
        for i in range(len(terms) - 1, -1, -1):
            value = terms[i] * 10 + carry
            carry, terms[i] = divmod(value, i + 2)
        digits.append(carry)
    return digits


row, seen = "", [0] * 10
for place, digit in enumerate(itertools.islice(pi_digits(), 30 * SCALE)):
    row += str(digit)
    seen[digit] += 1
    if place % 10 == 9:
        print(place + 1, row, seen)
        row = ""
for block in range(1, 4):
    print("2.", *e_digits(10 * block), sep="")
