"""N queens by recursion with sets that are filled and emptied on the way."""

SCALE = 1440


def solve(n, row, columns, rising, falling, found):
    if row == n:
        found.append(tuple(columns))
        return 1
    total = 0
    for c in range(n):
        if c in columns or (row + c) in rising or (row - c) in falling:
            continue
        columns.append(c)
        rising.add(row + c)
        falling.add(row - c)
        total += solve(n, row + 1, columns, rising, falling, found)
        columns.pop()
        rising.discard(row + c)
        falling.discard(row - c)
    return total


for round_ in range(SCALE):
    found = []
    print(round_, solve(5 + round_ % 3, 0, [], set(), set(), found))
    for places in found:
        print(places)
