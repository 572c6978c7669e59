"""A* over a grid with walls drawn by a random generator; the path is drawn."""

import heapq
import random

SCALE = 2160


def neighbours(cell, width, height, walls):
    x, y = cell
    for dx, dy in ((1, 0), (0, 1), (-1, 0), (0, -1)):
        near = x + dx, y + dy
        if 0 <= near[0] < width and 0 <= near[1] < height and near not in walls:
            yield near


def search(start, goal, width, height, walls):
    def guess(cell):
        return abs(cell[0] - goal[0]) + abs(cell[1] - goal[1])

    front, came, cost = [(guess(start), 0, start)], {start: None}, {start: 0}
    serial = 0
    while front:
        _, _, cell = heapq.heappop(front)
        if cell == goal:
            break
        for near in neighbours(cell, width, height, walls):
            new = cost[cell] + 1
            if new < cost.get(near, 10**9):
                cost[near], came[near] = new, cell
                serial += 1
                heapq.heappush(front, (new + guess(near), serial, near))
    else:
        return None, len(cost)
    path = []
    while cell is not None:
        path.append(cell)
        cell = came[cell]
    return path[::-1], len(cost)


def main():
    rng = random.Random(11)
    for round_ in range(SCALE):
        width, height = 16, 8
        walls = {(rng.randrange(width), rng.randrange(height)) for _ in range(30)}
        walls -= {(0, 0), (width - 1, height - 1)}
        path, seen = search((0, 0), (width - 1, height - 1), width, height, walls)
        print(round_, seen, None if path is None else len(path))
        for y in range(height):
            row = ""
            for x in range(width):
                row += "#" if (x, y) in walls else "*" if path and (x, y) in path else "."
            print(row)


main()
