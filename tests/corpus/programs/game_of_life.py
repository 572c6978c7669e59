"""The game of life on a set of cells, with a generator expression below `sum`."""

SCALE = 314


def step(cells, width, height):
    new = set()
    for y in range(height):
        for x in range(width):
            n = sum((x + dx, y + dy) in cells for dx in (-1, 0, 1) for dy in (-1, 0, 1) if dx or dy)
            if n == 3 or (n == 2 and (x, y) in cells):
                new.add((x, y))
    return new


cells = {(1, 0), (2, 1), (0, 2), (1, 2), (2, 2)}
generation = 0
while generation < 5 * SCALE:
    cells = step(cells, 7 + generation // 10, 7)
    generation += 1
    print("\n".join("".join("#" if (x, y) in cells else "." for x in range(7)) for y in range(7)))
