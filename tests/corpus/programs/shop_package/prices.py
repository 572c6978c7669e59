"""Prices, found by functions that a decorator registers."""

known = {}
asked = 0


def price_of(name):
    def register(function):
        known[name] = function
        return function

    return register


@price_of("apple")
def apple(n):
    total = 0
    for i in range(n):
        total += 3 if i else 5
    return total


@price_of("pear")
def pear(n):
    return 4 * n


def price(name, n):
    global asked
    asked += 1
    function = known.get(name)
    if function is None:
        known[name] = function = lambda n: 7 * n
    return function(n)
