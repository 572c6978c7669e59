"""A generation on its way to the disk, and what waits for it.

The writer is a thread of its own for each save: none idles between saves, none has to be told that
the program ends (the interpreter waits for it), and a forked child has none. Where the checkpoint
is let go of before the disk is done, whoever opens the same place in this process waits.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from resume.types import Manifest

_in_flight: dict[Path, Pending] = {}
_guard = threading.Lock()


class Pending:
    """One save between the moment when the program goes on and the moment when it is durable."""

    def __init__(self, place: Path, number: int) -> None:
        self.number = number
        """Of the generation, once it is durable."""
        self.writer_s = 0.0
        """Processor time of the writer's thread, in seconds: no more was taken from the program."""
        self._place = place
        self.thread: threading.Thread | None = None
        """The writer, where it has a thread of its own."""
        self._done = threading.Event()
        self._manifest: Manifest | None = None
        self._error: BaseException | None = None
        self._then: list[Callable[[], None]] = []
        with _guard:
            _in_flight[place] = self

    @property
    def is_done(self) -> bool:
        """Whether it is durable, or has failed."""
        return self._done.is_set()

    @property
    def error(self) -> BaseException | None:
        """Why it failed; None while it has not."""
        return self._error

    def run(self, act: Callable[[], Manifest], *, beside: bool = False) -> None:
        """Do all of the writing by *act*, *beside* the program or in its own thread.

        What it raises is kept for who waits.
        """
        began = time.thread_time()
        try:
            self._manifest = act()
        except BaseException as why:  # noqa: BLE001 - handed over to who waits
            self._error = why
        finally:
            self.writer_s = time.thread_time() - began if beside else 0.0
            with _guard:
                if _in_flight.get(self._place) is self:
                    del _in_flight[self._place]
                self._done.set()
                then, self._then = self._then, []  # they may hold what holds this
            for call in then:
                call()

    def when_done(self, call: Callable[[], None]) -> None:
        """Call *call* once it is done: in the writer's thread, or now where it is done already."""
        with _guard:
            if not self._done.is_set():
                self._then.append(call)
                return
        call()

    def wait(self) -> Manifest:
        """The manifest, when it is durable; raises what the writer met."""
        self.settle()
        if self._error is not None:
            raise self._error
        if self._manifest is None:
            raise RuntimeError("the writer waits for itself")
        return self._manifest

    def settle(self) -> None:
        """Wait until it is done, however it ends, and the writer's thread is gone."""
        if threading.current_thread() is self.thread:  # the collector may call from there
            return
        self._done.wait()
        if self.thread is not None:
            self.thread.join()


def settle(place: Path) -> None:
    """Wait until nothing of this process is on its way to *place*."""
    with _guard:
        pending = _in_flight.get(place)
    if pending is not None:
        pending.settle()


def _forget_all() -> None:
    global _guard  # noqa: PLW0603 - another thread of the parent may have held it during the fork
    _guard = threading.Lock()
    _in_flight.clear()


os.register_at_fork(after_in_child=_forget_all)
