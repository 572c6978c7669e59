"""The hash seed: the order of sets of strings, and what is computed from it, hang on it.

It is fixed when the interpreter starts, so the command starts itself once more where it must. The
program's children share it: what they give back must not change when the program goes on.
"""

from __future__ import annotations

import os
import sys

_SEED = "PYTHONHASHSEED"


def pin_hash_seed(saved: str | None = None) -> None:
    """Start this very command once more where the seed is not pinned, or is not the saved one.

    One that the user set stands, as long as nothing is saved under another.
    """
    now = os.environ.get(_SEED, "")
    wanted = saved or (now if now not in {"", "random"} else _any_seed())
    if wanted == now or sys.flags.ignore_environment:
        return
    os.execve(sys.executable, sys.orig_argv, {**os.environ, _SEED: wanted})  # noqa: S606


def _any_seed() -> str:
    return str(int.from_bytes(os.urandom(4), "little") or 1)  # 0 means: none
