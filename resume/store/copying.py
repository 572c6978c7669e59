"""Copies of live memory, by two processors where there is much: the program stands still for them.

One processor copies at half the speed that the memory has. More than two gain little, and take
from others what they need.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from typing import TypeAlias

import numpy as np

Pair: TypeAlias = "tuple[memoryview, memoryview]"
"""Where to, and where from: of the same size."""

_WORTH_SHARING = 4 << 20
"""Fewer bytes are copied before the other thread is awake."""


class Copier:
    """Copies memory; `close` it, so that its thread ends."""

    def __init__(self) -> None:
        self._work: SimpleQueue[Sequence[Pair] | None] = SimpleQueue()
        self._beside: threading.Thread | None = None
        self._done: SimpleQueue[BaseException | None] = SimpleQueue()
        """What the other thread met at its part, None where all went well."""
        self._is_alone = _processors() < 2

    def copy(self, pairs: Sequence[Pair]) -> None:
        """Fill the first of each pair with the second."""
        mine, others = _halves(pairs)
        if not others or not self._hand_over(others):
            _copy(pairs)
            return
        _copy(mine)
        why = self._done.get()
        if why is not None:
            raise why

    def close(self) -> None:
        """Let the other thread end."""
        beside, self._beside = self._beside, None
        if beside is not None:
            self._work.put(None)
            with suppress(RuntimeError):  # a Ctrl-C in `start` leaves open whether it runs
                beside.join()

    def _hand_over(self, pairs: Sequence[Pair]) -> bool:
        if self._is_alone:
            return False
        if self._beside is None:
            self._beside = threading.Thread(target=self._serve, name="resume-copy", daemon=True)
            try:
                self._beside.start()
            except RuntimeError:  # the interpreter ends, or the system has no thread to give
                self._beside = None
                self._is_alone = True
                return False
        self._work.put(pairs)
        return True

    def _serve(self) -> None:
        while (pairs := self._work.get()) is not None:
            try:
                _copy(pairs)
            except BaseException as why:  # noqa: BLE001 - handed over to who waits
                self._done.put(why)
            else:
                self._done.put(None)


def _copy(pairs: Iterable[Pair]) -> None:
    for target, source in pairs:
        # numpy's copy lets go of the interpreter, that of a memoryview does not
        np.copyto(np.frombuffer(target, np.uint8), np.frombuffer(source, np.uint8))


def _halves(pairs: Sequence[Pair]) -> tuple[list[Pair], list[Pair]]:
    """*pairs* in two parts of about the same size; the second is empty where it would not pay."""
    total = sum(len(target) for target, _ in pairs)
    mine: list[Pair] = []
    others: list[Pair] = []
    if total < _WORTH_SHARING:
        return list(pairs), others
    size = 0
    for target, source in pairs:
        middle = min(max(0, total // 2 - size), len(target))
        if middle:
            mine.append((target[:middle], source[:middle]))
        if middle < len(target):
            others.append((target[middle:], source[middle:]))
        size += len(target)
    return mine, others


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # pragma: no cover - macOS, Windows
