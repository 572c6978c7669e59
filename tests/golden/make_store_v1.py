"""Makes `store_v1/`: a checkpoint of two generations in format version 1.

Run once, by hand, when format version 1 was fixed: `python tests/golden/make_store_v1.py`. What it
made is committed and never made again: every later release must read it (test_store_golden.py).
"""

from __future__ import annotations

import itertools
import shutil
import sys
from pathlib import Path
from unittest import mock

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent.parent)]

from resume.store import Store  # noqa: E402
from resume.types import Buffer, Draft, Variable  # noqa: E402

NAME = "fit/größe"


def stream(k: int) -> bytes:
    return b"golden stream of generation %d" % k


def arrays(k: int) -> list[np.ndarray]:
    """One of several pieces that compresses, one of noise that is stored raw, and an empty one."""
    table = np.arange((5 << 20) // 4, dtype="<u4") // 1000
    table[-1] = k
    noise = np.random.Generator(np.random.PCG64(1)).integers(0, 256, 70_000, np.uint8)
    return [table, noise, np.empty(0, "<f8")]


def draft(k: int) -> Draft:
    return Draft(
        trigger="save",
        elapsed_s=1.5 * k,
        complete=k == 2,
        base=1 if k == 2 else None,
        function="fit",
        file="fit.py",
        lineno=12,
        code={"fingerprint": "0123"},
        call={"arguments": {"n": "3", "token": "***"}, "digest": "4567"},
        config={"lr": 0.1},
        extra={"note": "größe"},
        position={"door": "loop", "loops": [[0, k]]},
        variables=(
            Variable("table", "numpy.ndarray", 5 << 20, "[0 0 ...]", (1310720,), "<u4"),
            Variable("sock", "socket.socket", 0, skipped="a socket belongs to this process"),
        ),
        environment={"host": "golden", "pid": 1, "python": "3.11.7"},
        metric=0.5,
    )


def make(folder: Path) -> None:
    counter = itertools.count(1)
    shutil.rmtree(folder, ignore_errors=True)
    with (
        mock.patch("secrets.token_hex", lambda size: f"{next(counter):0{2 * size}x}"),
        mock.patch("time.time", lambda: 1_750_000_000.0),
        mock.patch("socket.gethostname", lambda: "golden"),
    ):
        store = Store(folder, NAME)
        parent = None
        for k in (1, 2):
            buffers = [
                Buffer(path, memoryview(one).cast("B"), one.dtype.str)
                for path, one in zip(("table", "noise", "nothing"), arrays(k), strict=True)
            ]
            parent = store.commit(draft(k), stream(k), buffers, parent=parent)
        store.unlock()
    (store.place / "lock").unlink()
    (folder / ".gitignore").unlink()  # or the files could not be committed


if __name__ == "__main__":
    make(HERE / "store_v1")
