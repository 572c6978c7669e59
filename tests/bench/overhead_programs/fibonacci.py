"""Plain recursion: two calls of itself in one expression."""

SIZE = 1500


def fib(n):
    if n < 2:
        return n
    return fib(n - 1) + fib(n - 2)


def main(size):
    total = 0
    for _ in range(size):
        total += fib(20)
    return total
