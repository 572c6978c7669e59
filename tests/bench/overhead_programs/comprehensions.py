"""Lists, sets and dicts made of each other, with calls of methods and functions in them."""

SIZE = 8500


class Offer:
    def __init__(self, number):
        self.number = number
        self.price = number * 7919 % 1009
        self.kind = "abcde"[number % 5]

    def after_tax(self, rate):
        return round(self.price * (1 + rate), 2)


def is_prime(number, known):
    for divisor in known:
        if divisor * divisor > number:
            break
        if number % divisor == 0:
            return False
    return number > 1


def report(offers, rate):
    best = {kind: min(o.price for o in offers if o.kind == kind) for kind in "abcde"}
    cheap = [o for o in offers if o.price < 2 * best[o.kind] + 100]
    taxed = sorted([(o.after_tax(rate), o.number) for o in cheap])
    kinds = {o.kind for o in cheap}
    some = any(o.price > 1000 for o in offers) and all(o.number >= 0 for o in cheap)
    return sum(price for price, _ in taxed[:20]) + len(kinds) + some


def main(size):
    known = [n for n in range(2, 60) if all(n % d for d in range(2, n))]
    offers, total = [Offer(number) for number in range(400)], 0.0
    for number in range(size):
        total += report(offers[number % 50 :], number / 1000)
        total += sum([n for n in range(number, number + 200) if is_prime(n, known)])
        total += len({(a, b) for a in range(12) for b in range(12) if a * b % 7 == number % 7})
    return round(total, 2)
