"""Closures that share variables: nonlocal, lambdas of lambdas, and a counter at module level."""

SCALE = 228


def counter(start):
    n = start

    def increase(k=1):
        nonlocal n
        for _ in range(k):
            n += 1
        return n

    def get():
        return n

    return increase, get


def main(rounds):
    increase, get = counter(10)
    adders = [(lambda i: lambda x: x + i)(i) for i in range(3)]
    total = 0

    def bump(x):
        nonlocal total
        for i in range(x):
            total += increase(i) + adders[i % 3](x)
        return total

    for i in range(rounds):
        print(bump(i), get(), total)
    return total


tick, peek = counter(0)
for i in range(4 * SCALE):
    tick(i)
print(peek(), main(6 + SCALE), peek())
