# expect: equal
"""Loops inside a plain context manager and inside the checkpoint's own `with`, `finally` around."""

import contextlib
import json

from ticks import tick

from resume import Checkpoint


def work():
    out = []
    try:
        with Checkpoint("block", rate=0, fsync=False) as chp, contextlib.suppress(KeyError):
            for a in chp.loop(range(2)):
                with contextlib.suppress(ZeroDivisionError):
                    for b in chp.loop([2, 1, 0, 5]):
                        tick()
                        out.append(a // b)
                out.append("inner")
            tick()
            {}["missing"]
    finally:
        out.append("finally")
    return out


print(json.dumps(work()))
