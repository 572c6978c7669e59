"""Loops over iterables of the program and of libraries: old protocol, batched reads, re, os, zip."""

import collections
import itertools
import os
import re

SCALE = 7223


class Old:
    def __init__(self, n):
        self.n = n

    def __getitem__(self, i):
        if i >= self.n:
            raise IndexError(i)
        for _ in range(1):
            value = i * i
        return value


class Own:
    def __init__(self, n):
        self.n = n

    def __iter__(self):
        return Counter(self.n)

    def __reversed__(self):
        yield from range(self.n, 0, -1)


class Counter:
    def __init__(self, n):
        self.i, self.n = 0, n

    def __iter__(self):
        return self

    def __next__(self):
        self.i += 1
        for _ in range(1):
            if self.i > self.n:
                raise StopIteration
        return self.i


def main(n):
    total = 0
    for source in (Old(n), Own(n), reversed(Own(n)), iter(Counter(3)), range(n, 0, -2)):
        for value in source:
            total += value
            print(value, end=" ")
        print(total)
    for match in re.finditer(r"(\w)(\w*)", "some words to match"):
        print(match[1].upper() + match[2], match.span())
    for index, (a, b) in enumerate(itertools.pairwise(Own(n)), start=1):
        print(index, a, b)
    queue = collections.deque(range(3))
    for _ in range(4):
        for value in queue:
            total += value
        queue.rotate(1)
    for key, value in collections.ChainMap({"a": n}, {"b": 2, "a": 0}).items():
        print(key, value, end=";")
    for name in sorted(entry.name for entry in os.scandir(".") if entry.name == "none"):
        print(name)
    for block in itertools.zip_longest(*[iter(range(n))] * 3, fillvalue="-"):
        print(block)
    for pair in zip(itertools.chain.from_iterable([[1], [2, 3]]), "abc", strict=True):
        print(pair)
    for a, b in itertools.product(Own(2), repeat=2):
        total += a * b
    for x in memoryview(b"abc"):
        total += x
    for line in "a\nb\nc".splitlines(keepends=True):
        total += len(line)
    return total


for n in range(SCALE):
    print(main(n % 6 + 1))
