"""Orders that are placed as a whole or not at all."""

from prices import price


class Order:
    def __init__(self, number, items):
        self.number = number
        self.items = [(name, n) for name, n in items if n]

    def __iter__(self):
        for name, n in self.items:
            yield name, n

    def __str__(self):
        return f"order {self.number}: " + ", ".join(f"{n} {name}" for name, n in self)


def place(order, stock):
    cost = 0
    with stock.reserve() as reserve:
        for name, n in order:
            reserve(name, n)
            cost += price(name, n)
    return cost
