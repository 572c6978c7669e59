# expect: equal
"""Loops in the branches of `if`, `match` and `try`, chosen by names that do not change."""

import json

from ticks import tick

from resume import Checkpoint


def work(kind):
    chp = Checkpoint(rate=0, fsync=False)
    out = []
    chp.restore()
    if kind == "up":
        for i in chp.loop(range(3)):
            tick()
            out.append(i)
    else:
        for i in chp.loop(range(3, 0, -1)):
            tick()
            out.append(i)
    match kind:
        case "up":
            pass
        case "down":
            for i in chp.loop("ab"):
                tick()
                out.append(i)
    try:
        for i in chp.loop([2, 1, 0]):
            tick()
            out.append(6 // i)
    except ZeroDivisionError:
        out.append("divided")
    finally:
        out.append("finally")
    tick()
    return out


print(json.dumps([work("down"), work("up")]))
