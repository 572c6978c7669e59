"""Recursive generators: trees of tuples, walked by `yield from` and by loops over generators."""

SIZE = 460


def made(low, high):
    if low >= high:
        return None
    middle = (low + high) // 2
    return made(low, middle), middle, made(middle + 1, high)


def walk(tree):
    if tree:
        left, value, right = tree
        yield from walk(left)
        yield value
        yield from walk(right)


def deep(tree, depth):
    if tree is None:
        return
    left, value, right = tree
    for found in deep(left, depth + 1):
        yield found
    yield value * depth
    for found in deep(right, depth + 1):
        yield found


def main(size):
    tree, total = made(0, 3_000), 0
    for _ in range(size):
        total += sum(walk(tree))
        for value in deep(tree, 0):
            total ^= value
    return total
