"""Counting what is there and taking from it."""


class Short(LookupError):
    pass


def taken(stock, name, n):
    for _ in range(n):
        if not stock.items.get(name):
            raise Short(name)
        stock.items[name] -= 1


def count(stock):
    total = 0
    for n in stock.items.values():
        total += n
    return total
