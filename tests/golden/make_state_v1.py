"""Makes `state_v1/`: a checkpoint of the whole state of a run, killed in its second loop.

Run once, by hand, when format version 1 was fixed: `python tests/golden/make_state_v1.py`. What it
made is committed and never made again: every later release must read it, on every Python
(test_state_golden.py). So it holds no code: functions by value belong to one Python version.
"""

from __future__ import annotations

import collections
import datetime as dt
import decimal
import os
import random
import shutil
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent.parent)]

from resume import Checkpoint  # noqa: E402

STOP_AT: tuple[int, int] | None = None


class StoppedError(Exception):
    """Stands for the kill."""


def run() -> dict[str, object]:
    """Draw from every generator, over arrays, views, shared lists and an iterator."""
    random.seed(1)
    np.random.seed(2)
    chp = Checkpoint("golden", folder=HERE / "state_v1", rate=0, fsync=False, keep=1)
    rng = np.random.default_rng(3)
    table = np.arange(40_000, dtype="<f8")
    window = table[10:20]
    shared = [1]
    names = {"a": shared, "b": shared, ("t", 2): {3, 1, 2}}
    queue = collections.deque([1, 2, 3], maxlen=4)
    kinds = (
        dt.date(2026, 1, 2),
        decimal.Decimal("1.50"),
        2**70,
        b"\x00\xff",
        "größe",
        None,
        1 + 2j,
    )
    total = 0.0
    chp["note"] = "kept"
    chp.restore()
    for outer in chp.loop(enumerate(["x", "y", "z"])):
        for step in chp.loop(lambda: iter(rng.permutation(5).tolist())):
            total += random.random() + np.random.random() + rng.random() + step
            window += 1
            shared.append(step)
            queue.append(step)
            if (outer[0], len(shared)) == STOP_AT:
                raise StoppedError
    return {
        "total": total,
        "window": window.tolist(),
        "sum": float(table.sum()),
        "names": [names["a"], names["a"] is names["b"], sorted(names["t", 2])],
        "queue": list(queue),
        "kinds": [str(kind) for kind in kinds],
        "next": [random.random(), float(np.random.random()), float(rng.random())],
        "note": chp["note"],
    }


if __name__ == "__main__":
    shutil.rmtree(HERE / "state_v1", ignore_errors=True)
    os.chdir("/")  # the manifest tells where it was made
    sys.argv = ["make_state_v1.py"]
    STOP_AT = (1, 9)
    try:
        run()
    except StoppedError:
        (HERE / "state_v1/.gitignore").unlink()
