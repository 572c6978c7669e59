"""Calls that may be saved in, in every operand of every kind of expression and statement."""

SCALE = 1440
log = []


def told(x):
    for i in range(2):
        log.append((x, i))
    return x


class Thing:
    def __init__(self):
        self.v, self.a = 5, [1, 2, 3]

    def more(self, x):
        for _ in range(2):
            self.v += x
        return self

    def at(self, i):
        for _ in range(2):
            self.a[0] += 1
        return i


total = 100


def added(x):
    global total
    for _ in range(3):
        total += 1
    return x


def many(*args, **named):
    for _ in range(2):
        pass
    return args, sorted(named.items())


def main():
    global total
    it = iter(range(100))
    thing = Thing()
    print(told(1) + told(2) * told(3))
    print((next(it), told(next(it)), *[next(it), told(9)], {next(it): told(7), **{"k": told(8)}}))
    thing.v += told(10) + thing.more(1).more(2).v
    thing.a[thing.at(1)] += told(4)
    thing.a[thing.at(2)] = told(5)
    total += added(1000)
    print(total - added(7) + total)
    print(1 < told(2) < told(3) <= told(3) != told(4))
    print(told(0) or (told(5) and told(6) and not told(7)))
    print(told(1) if told(0) else told(2) if told(1) else told(3))
    print(f"{next(it)}-{told(1)}-{thing.v:>5}-{told(2)!r}-{total}")
    print([next(it) + told(i) for i in range(3) if told(i) != 1])
    print({told(i): {told(j) for j in range(2)} for i in range(2)})
    more = {"c": next(it)}
    print(many(next(it), *(told(i) for i in range(2)), a=next(it), b=told(3), **more))
    if (n := told(4)) > 3 and told(n) == 4:
        log.append(n)
    while told(n) > 2:
        n -= 1
    for y in range(told(3)):
        for k in [told(y), told(y + 1)]:
            log.append(k)
    assert told(1), told(2)
    items = [0] * 10
    items[told(1) : told(3)] = [told(9)] * 2
    del items[told(0)]
    plus = lambda p: told(p) + 1
    print(plus(3) + plus(told(4)))
    one, (two, *three) = told(1), (told(2), told(3), told(4))
    match (told(1), told(2)):
        case (1, v) if v:
            for _ in range(2):
                log.append(v)
            result = told(v)
        case _:
            result = 0
    print(thing.v, thing.a, n, items, one, two, three, result)


for _ in range(SCALE):
    main()
    for entry in log:
        print(entry)
    log.clear()
