"""Assignment expressions in tests, calls and comprehensions; names deleted and bound again."""

SCALE = 17356


def halved(n):
    steps = 0
    for _ in range(2):
        steps += 1
    return n // steps


def shrink(n):
    trail = []
    while (n := halved(n)) > 0:
        trail.append(n)
        if (half := halved(n)) and half % 2 == 0:
            trail.append(("even", half))
        del half
        try:
            half
        except UnboundLocalError:
            trail.append("gone")
    return trail


def largest(numbers):
    best = None
    found = [best := n for n in numbers if best is None or halved(n) > halved(best)]
    pairs = [(q, last) for n in numbers if (last := halved(n)) for q in range(2)]
    return found, best, pairs, last


def chained(a, b, c):
    assert halved(a) <= a, f"{halved(a)} is more than {a}"
    try:
        assert a < halved(b) < c, (a, halved(b), c)
    except AssertionError as error:
        return error.args
    return halved(a) < b <= halved(c) != a


def unpacked(pairs):
    total = 0
    for (a, [b, *rest]), name in pairs:
        total += halved(a) + b
        for r in rest:
            total += r
        items = {"total": total, name: rest}
        del items["total"], rest
        print(sorted(items), total)
    return total


for i in range(SCALE):
    print(shrink(i + 20))
    print(largest([i, 3 * i % 17, 7, 2 * i]))
    print(chained(i % 5, i % 11, 9), unpacked([((i, (1, 2, 3)), "a"), ((2, [i]), "b")]))
