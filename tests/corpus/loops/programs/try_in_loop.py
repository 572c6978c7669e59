# expect: equal
"""Errors caught inside items, `continue` in `finally`'s reach, a context manager in the body."""

import contextlib
import json

from ticks import tick

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    out = []

    @contextlib.contextmanager
    def noted(name):
        out.append("enter " + name)
        yield
        out.append("leave " + name)

    chp.restore()
    for x in chp.loop([1, 0, 2, "x", 4]):
        tick()
        try:
            with noted(str(x)):
                if x == 2:
                    continue
                out.append(8 // x)
        except ZeroDivisionError:
            out.append("zero")
        except TypeError as why:
            out.append(type(why).__name__)
        finally:
            out.append("done")
    return out


print(json.dumps(work()))
