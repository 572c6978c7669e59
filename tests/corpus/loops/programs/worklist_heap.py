# expect: equal
"""A heap in a plain `while`, `sync()` last: the state is whole at the condition."""

import heapq
import json

from ticks import tick

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    heap = [(0, "a")]
    seen = {}
    chp.restore()
    while heap:
        cost, node = heapq.heappop(heap)
        if node not in seen:
            seen[node] = cost
            for i, to in enumerate("bcdef"):
                if to not in seen:
                    heapq.heappush(heap, (cost + (ord(to) * (i + 1)) % 7, to))
        tick()
        chp.sync()
    return seen


print(json.dumps(work()))
