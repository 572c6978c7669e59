"""Generators in all forms: sent to, chained, delegating by recursion, used up below C code."""

SCALE = 847


def count(n):
    i = 0
    while i < n:
        got = yield i
        if got:
            i += got
        i += 1


def evens(numbers):
    for x in numbers:
        if x % 2 == 0:
            yield x


def tree(depth):
    if depth:
        yield from tree(depth - 1)
        for k in range(2):
            yield depth, k
        yield from tree(depth - 1)


def pipeline(n):
    squares = (x * x for x in evens(count(n)))
    for v in squares:
        print(v)
    numbers = count(30)
    print(next(numbers), numbers.send(3), next(numbers))
    for x in numbers:
        for y in range(2):
            if x == 11 and y:
                print("eleven")
    for node in tree(3):
        print(node)
    print(sum(x for x in count(10)), list(evens(range(9))))


for round_ in range(SCALE):
    pipeline(10 + round_)
