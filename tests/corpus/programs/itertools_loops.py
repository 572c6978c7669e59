"""Loops over what itertools makes, nested and endless ones, too."""

import itertools

SCALE = 600


def main(n):
    out = []
    for pair in itertools.product("ab", range(n)):
        out.append(pair)
    for order in itertools.permutations([1, 2, 3]):
        for pair in itertools.combinations(order, 2):
            out.append((order, pair))
    for i, c in zip(itertools.count(5, 3), itertools.cycle("xyz")):
        if i > 40 + n:
            break
        out.append((i, c))
    for key, group in itertools.groupby(sorted("mississippi")):
        out.append((key, len(list(group))))
    for x in itertools.islice(itertools.chain([1, 2], (3, 4)), 1, None):
        out.append(x)
    for x in itertools.accumulate(range(6)):
        out.append(x)
    for pair in itertools.pairwise("hello"):
        out.append(pair)
    return out


for n in range(SCALE):
    for entry in main(n):
        print(entry)
