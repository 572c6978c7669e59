"""A recursive call inside a comprehension of two loops, and the plain Fibonacci recursion."""

SCALE = 6000


def permutations(items):
    if len(items) <= 1:
        return [items]
    return [
        [item, *rest]
        for i, item in enumerate(items)
        for rest in permutations(items[:i] + items[i + 1 :])
    ]


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def main():
    for start in range(SCALE):
        for found in permutations([start + k for k in range(4)]):
            print(found)
        print(fib(9 + start % 4))


main()
