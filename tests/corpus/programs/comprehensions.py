"""Comprehensions of all kinds, nested, with conditions and calls in each place."""

SCALE = 7200


def slow(n):
    total = 0
    for i in range(3):
        total += i
    return n + total - 3


def numbers(n):
    for i in range(n):
        yield slow(i)


class Grid:
    size = 3
    cells = [[r * 3 + c for c in range(3)] for r in range(size)]

    def rows(self):
        return [[slow(c) for c in row if slow(c) % 2] for row in self.cells]

    def columns(self):
        return {c: tuple(slow(row[c]) for row in self.cells) for c in range(self.size)}


def outer(n):
    factor = slow(2)
    scaled = [slow(x) * factor for x in range(n)]
    later = [lambda: factor + x for x in range(3)]
    return scaled, [f() for f in later], [slow(f()) for f in later]


def main(n):
    print([slow(x) for x in numbers(n) if slow(x) != 2])
    print({slow(x) % 5 for x in range(n)}, {slow(x): [slow(y) for y in range(x)] for x in range(4)})
    print([(a, b) for a in numbers(slow(3)) for b in range(slow(a)) if slow(b) or a])
    lazy = (slow(a) * b for a in range(n) for b in numbers(2))
    for value in lazy:
        if value > 4:
            print(value)
    print(sum(slow(x) for x in range(n)), max((slow(x) for x in range(3)), default=0))
    print([[[slow(a + b + c) for a in range(2)] for b in range(2)] for c in range(slow(2))])
    print(outer(n))
    print(Grid().rows(), Grid().columns())
    print([y for x in range(3) if (y := slow(x)) > 0], y)
    print(sorted(slow(len(w)) for w in "some words of text".split()))
    print(list(map(lambda p: [slow(q) for q in range(p)], range(3))))


for n in range(SCALE):
    main(n % 8 + 1)
