# expect: equal
"""An iterable whose `__iter__` is a generator, and one whose iterator holds an open file."""

import json
import sys

from ticks import tick

from resume import Checkpoint


class Batches:
    def __init__(self, data, size):
        self.data = data
        self.size = size

    def __iter__(self):
        for start in range(0, len(self.data), self.size):
            yield self.data[start : start + self.size]


class Words:
    def __init__(self, path):
        self.file = open(path)

    def __iter__(self):
        return self

    def __next__(self):
        line = self.file.readline()
        if not line or line == "\n":
            raise StopIteration
        return line.split()[0]


def work(path):
    chp = Checkpoint(rate=0, fsync=False)
    out = []
    chp.restore()
    for epoch in chp.loop(range(2)):
        for batch in chp.loop(Batches(list(range(7)), 3)):
            tick()
            out.append(batch)
    for word in chp.loop(Words(path)):
        tick()
        out.append(word)
    return out


print(json.dumps(work(sys.argv[0])))
