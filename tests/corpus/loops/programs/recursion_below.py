# expect: equal
"""A recursive function below the checkpoint's owner is only work."""

import json

from ticks import tick

from resume import Checkpoint


def hanoi(n, a, b, c, moves):
    if n:
        hanoi(n - 1, a, c, b, moves)
        moves.append(a + c)
        hanoi(n - 1, b, a, c, moves)


def work():
    chp = Checkpoint(rate=0, fsync=False)
    moves = []
    chp.restore()
    for n in chp.loop(range(1, 5)):
        tick()
        hanoi(n, "a", "b", "c", moves)
    return moves


print(json.dumps(work()))
