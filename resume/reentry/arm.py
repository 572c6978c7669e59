"""Wait for the next statement of rewritten code when a save is due; cost nothing until then.

Goal: every statement of rewritten code is a safe point, and none costs anything.

What does not work: a poll in the code (a few per cent, in every loop); a signal of a timer (the
program's own, and it interrupts system calls); a thread of `threading` (the program counts them).

What we do: a bare thread sleeps until a save is due, and then has the main thread, between two
instructions, turn line events on for the frames of the program on its stack (`frames/pending.py`,
`lines.py`). At the next line where a statement begins, the events are off again and the save is
made. Where it cannot be made, the next lines are tried; after so many, or where the events cannot
be had, it is asked again later, and the reason counted.

What can still go wrong: a program that stays in one call of C code is asked when it is back. While
the trace function is held (3.11), or all tools of `sys.monitoring` are taken, nothing is saved.
"""

from __future__ import annotations

import _thread
import contextlib
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from types import CodeType, FrameType
from typing import TYPE_CHECKING

from resume.interpreter import FORK_LOOKS_LAST, unseen, wait_for_end_of_thread

if TYPE_CHECKING:
    from resume.reentry.lines import Lines
    from resume.reentry.program import Program

_LONGEST_SLEEP_S = 1e6
"""A lock waits at most so long."""


class Alarm:
    """Calls a function at the next statement of rewritten code, each time a save is due.

    Args:
        program: Gives the modules that were rewritten; first called in the timer's thread.
        at_point: Called in the main thread with a frame in which a statement begins; whether it
            saved. What it raises goes on in the program.
        wait_s: Seconds from now until the next save; None: only when asked. Called in the timer's
            thread.
        make_ready: Makes ready for a save; called before each, in the timer's thread.
        retry_s: Seconds between two attempts where none succeeds.
        patience_s: Seconds until the stack is looked at again, where no line comes.
        most_lines: Line events to look at in one attempt.
        poll_s: Looks whether somebody wants a save, and calls `ask` for him; seconds until it looks
            again. Called in the timer's thread.
    """

    def __init__(
        self,
        program: Callable[[], Program],
        at_point: Callable[[FrameType], bool],
        wait_s: Callable[[], float | None],
        *,
        make_ready: Callable[[], None] = lambda: None,
        retry_s: float = 1.0,
        patience_s: float = 10.0,
        most_lines: int = 200,
        poll_s: Callable[[], float] = lambda: _LONGEST_SLEEP_S,
    ) -> None:
        self._poll_s = poll_s
        self._program, self._at_point, self._wait_s = program, at_point, wait_s
        self._make_ready = make_ready
        self._retry_s, self._patience_s, self._most_lines = retry_s, patience_s, most_lines
        self.reasons: Counter[str] = Counter()
        """Why an attempt ended without a save, as far as it was not `at_point` that said no."""
        self._wake = _thread.allocate_lock()
        self._gone = _thread.allocate_lock()
        self._wake.acquire()
        self._lines: Lines | None = None
        self._thread: int | None = None
        self._main = 0
        self._native = self._left = 0
        self._is_asked = self._is_pending = self._is_answered = self._was_refused = False
        self._is_on = self._is_busy = self._is_stopped = self._is_leaving = self._is_paused = False

    # -- the timer

    def start(self) -> None:
        """Begin to wait; in the main thread."""
        global _live  # noqa: PLW0603 - what fork must know
        self._main = _thread.get_ident()
        _live = self
        self._start_thread()

    def stop(self) -> None:
        """Wait no more, and leave nothing behind; in the main thread."""
        global _live  # noqa: PLW0603
        if _live is self:
            _live = None
        self._is_stopped = True
        self._end_thread()
        if self._is_on:
            self._turn_off(_here())

    def ask(self) -> None:
        """Let a save be due now; from any thread."""
        self._is_asked = True
        self._nudge()

    def _nudge(self) -> None:
        with contextlib.suppress(RuntimeError):  # it is awake already
            self._wake.release()

    def _start_thread(self) -> None:
        self._is_leaving = False
        if not self._is_asked:
            self._wake.acquire(blocking=False)  # what ended a thread does not wake the next one
        self._gone.acquire()
        self._thread = _thread.start_new_thread(self._run, ())

    def _end_thread(self) -> None:
        """Wait until the timer's thread is gone, for the system too: `fork` warns of threads."""
        if self._thread is None:
            return
        self._is_leaving = True
        self._nudge()
        with self._gone:
            self._thread = None
        wait_for_end_of_thread(self._native)

    def _run(self) -> None:  # pragma: no cover - a bare thread is not measured
        self._native = _thread.get_native_id()
        try:
            while self._sleep():
                self._ask()
        finally:
            self._gone.release()

    def _sleep(self) -> bool:  # pragma: no cover - a bare thread is not measured
        """Sleep until a save is due; False: there is nothing to wait for any more."""
        wait = self._retry_s if self._was_refused else self._wait_s()
        self._was_refused = False
        until = time.monotonic() + (_LONGEST_SLEEP_S if wait is None else max(wait, 0.0))
        while not self._is_asked and not self._is_leaving:
            looks_again_s = self._poll_s()
            left = until - time.monotonic()
            is_nudged = self._wake.acquire(timeout=max(0.0, min(left, looks_again_s)))
            if is_nudged or left <= looks_again_s:
                break
        return not self._is_leaving

    def _ask(self) -> None:  # pragma: no cover - a bare thread is not measured
        """Ask the main thread, and sleep until it has answered."""
        from resume.frames.pending import ask_main_thread  # noqa: PLC0415 - only for a save

        self._is_asked = False
        self._program()
        self._make_ready()
        self._make_lines()
        while not self._is_answered and not self._is_leaving:
            if not self._is_pending:
                self._is_pending = ask_main_thread(self)
            self._wake.acquire(timeout=self._patience_s)
        self._is_answered = False
        self._wake.acquire(blocking=False)  # one answer may wake twice

    def _make_lines(self) -> None:  # pragma: no cover - a bare thread is not measured
        from resume.reentry.lines import MonitoredLines, TracedLines  # noqa: PLC0415

        if self._lines is None and sys.version_info >= (3, 12):
            self._lines = MonitoredLines(self)
        elif self._lines is None:
            self._lines = TracedLines(self)

    # -- in the main thread: below line events, or above any instruction, where no tracer looks

    @unseen
    def __bool__(self) -> bool:  # pragma: no cover - no tracer sees it
        try:
            self._arm(_here())
        except BaseException as why:  # noqa: BLE001 - it goes on
            self.fail(_here())
            raise why.with_traceback(None)  # noqa: B904 - it happened to the program
        return False

    def fail(self, frame: FrameType) -> None:  # pragma: no cover - measured by no tracer
        """Something was raised while lines were looked at: it goes on in the program."""
        self._turn_off(frame)
        self._answer(saved=False)

    def is_known(self, code: CodeType) -> bool:  # pragma: no cover - measured by no tracer
        """Whether the code is a block of the program."""
        return self._program().find(code) is not None

    def _arm(self, frame: FrameType) -> None:  # pragma: no cover - measured by no tracer
        self._is_pending = False
        if self._is_stopped or self._is_busy or self._is_paused:
            return
        self._turn_off(frame)  # the stack may be another than it was
        self._left = self._most_lines
        self._turn_on(frame)

    def _turn_on(self, frame: FrameType) -> None:  # pragma: no cover - measured by no tracer
        assert self._lines is not None
        if not any(self.is_known(each.f_code) for each in outwards(frame)):
            self._refuse("no code of the program runs in the main thread")
            return
        self._is_on = True
        refused = self._lines.start(frame)
        if refused is not None:
            self._is_on = False
            self._refuse(refused)

    def _turn_off(self, frame: FrameType) -> None:
        if self._is_on and self._lines is not None:
            self._is_on = False
            self._lines.stop(frame)

    def at_line(self, frame: FrameType) -> None:  # pragma: no cover - measured by no tracer
        """Save, if a statement begins here."""
        if not self._is_on or _thread.get_ident() != self._main:
            return
        if self._is_paused:
            self._is_paused = False
            self._turn_off(frame)
            self._start_thread()
            return
        site = self._program().find(frame.f_code)
        self._left -= 1
        if site is not None and frame.f_lasti // 2 in site.module.rewritten.starts(frame.f_code):
            self._turn_off(frame)
            if self._save(frame):
                self._answer(saved=True)
                return
            if self._left > 0:
                self._turn_on(frame)
        if self._left <= 0:
            self.give_up(frame)

    def _save(self, frame: FrameType) -> bool:  # pragma: no cover - measured by no tracer
        self._is_busy = True
        try:
            return self._at_point(frame)
        finally:
            self._is_busy = False

    def give_up(self, frame: FrameType) -> None:  # pragma: no cover - measured by no tracer
        """This attempt has taken long enough."""
        self._turn_off(frame)
        self._refuse("no statement that was met could be gone on from")

    def _refuse(self, reason: str) -> None:  # pragma: no cover - measured by no tracer
        self.reasons[reason] += 1
        self._answer(saved=False)

    def _answer(self, *, saved: bool) -> None:  # pragma: no cover - measured by no tracer
        self._was_refused = not saved
        self._is_answered = True
        self._nudge()

    # -- forks

    def pause_for_fork(self) -> None:
        """End the thread: it would not be in the child, and `fork` warns of it."""
        self._end_thread()

    def go_on_after_fork(self) -> None:
        """Start the thread again, in the parent.

        From 3.13 on `fork` looks for threads when this hook is done: the next line of the program
        starts it.
        """
        if not FORK_LOOKS_LAST:
            self._start_thread()
            return
        from resume.frames import running_frames  # noqa: PLC0415 - few programs fork

        frame = running_frames()[self._main]
        self._make_lines()
        self._turn_off(frame)
        assert self._lines is not None
        self._is_paused = self._is_on = self._lines.start(frame) is None
        del frame  # it may be our own: a cycle, which would keep the program's frames alive
        if not self._is_paused:
            self._start_thread()

    def end_in_child(self) -> None:
        """The child of a fork saves nothing."""
        self._is_stopped, self._thread = True, None
        if self._is_on:
            self._turn_off(_here())


def outwards(frame: FrameType | None) -> Iterator[FrameType]:
    """Yield a frame and those that wait for it."""
    while frame is not None:
        yield frame
        frame = frame.f_back


def _here() -> FrameType:
    from resume.frames import frame_at  # noqa: PLC0415 - only for a save

    return frame_at(1)


_live: Alarm | None = None


def _before_fork() -> None:
    if _live is not None:
        _live.pause_for_fork()


def _in_parent() -> None:
    if _live is not None:
        _live.go_on_after_fork()


def _in_child() -> None:
    global _live  # noqa: PLW0603
    if _live is not None:
        _live.end_in_child()
    _live = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_in_parent, after_in_child=_in_child)
