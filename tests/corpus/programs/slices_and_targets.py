"""Assignments to slices, items and attributes whose parts are all calls; augmented ones, too."""

SCALE = 18000
trail = []


def at(n):
    for _ in range(2):
        trail.append(n)
    return n


class Box:
    def __init__(self):
        self.items = list(range(12))
        self.inner = None
        self.count = 0

    def me(self):
        for _ in range(2):
            self.count += 1
        return self


def main(i):
    box = Box()
    box.inner = Box()
    box.items[at(1) : at(4)] = [at(9)] * at(2)
    box.items[at(2) :: at(3)] = [0] * len(box.items[2::3])
    box.me().inner.items[at(3)] += at(i)
    box.me().inner.me().count -= at(5)
    box.items[at(0)], box.inner.items[at(1)] = at(7), at(8)
    box.items[at(4)] = box.inner.items[at(5)] = spare = at(i + 1)
    table = {}
    table[at(1), at(2)] = table.setdefault(at(3), []), at(4)
    table[at(1), at(2)][0].append(at(6))
    grid = [[0] * 3 for _ in range(3)]
    for r in range(3):
        for c in range(3):
            grid[at(r)][at(c)] |= at(r * c + i)
    del box.items[at(0) : at(2)], table[at(3)]
    number: int = at(3) ** at(2)
    number <<= at(1)
    return box.items, box.inner.items, box.count, box.inner.count, spare, table, grid, number


for i in range(SCALE):
    print(main(i))
    print(trail[-5:], len(trail))
    trail.clear()
