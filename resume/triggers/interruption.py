"""One first signal, from the handler to the save: what is said meanwhile, and the second signal.

Goal: who asks a program to leave is told what it waits for, and can always leave at once.

What does not work: printing in the handler (it may have interrupted a print); a handler alone for
the second signal. Python's handlers run in the main thread between two instructions: not while that
is in a long call of C code.

What we do: a thread, which lives from the first signal to the save. It says what is going on. It
reads the numbers of the signals that come, which the interpreter's own C handler writes to a pipe:
where the second came and Python's handler has not run for it in about a second, the thread ends the
process. So it does where that handler has run, and the program is still not left after seconds.
Nobody sits there to send a second SIGTERM: where no safe point comes for minutes, the thread does.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found] # `signal` makes an enum of each number
import _thread
import contextlib
import math
import os
import sys
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from resume.triggers.asked import Asked

_NAMES: dict[int, str] = {
    number: name
    for name, number in sorted(vars(_signal).items(), reverse=True)
    if name.startswith("SIG") and not name.startswith("SIG_") and isinstance(number, int)
}
SAVING = "saving at the next safe point"
_PATIENCE_S = 5.0
"""Without a safe point for so long, it is said once more."""
_HANG_S = 120.0
"""So long, and as long as a safe point may take, the first signal waits if it is no Ctrl-C."""
_HANDLER_S = 0.9
"""The handler of a second signal has so long to run."""
_NUDGE_S = 0.3
"""Behind so much of it, the signal is sent once more."""
_CLEANUP_S = 4.0
"""The program has so long to leave after a second signal."""
_WAIT_S = 1.0
"""The main thread waits at most so long for the watching one."""
_MOMENT_S = 0.05


class Terms(NamedTuple):
    """What a run answers a signal with, where that is not a save at the next safe point."""

    answer: str
    """For people: what is done now."""
    limit_s: float
    """So long, and then the first signal acts as ever; inf: never, nor does a second one."""
    given_up: str
    """For people: why it does."""


class Run(Protocol):
    """A run that was asked; see `signals.Interruptible`."""

    def withdraw(self, asked: Asked) -> None:
        """That save is not wanted any more."""

    def place(self) -> str:
        """Say where the program stands."""

    def saved_age_s(self) -> float | None:
        """Seconds since the last save; None: nothing is saved."""

    def patience_s(self) -> float:
        """Seconds that the next safe point may well take."""

    def has_left(self) -> bool:
        """Whether the code that would have come to a safe point has been left."""

    def terms(self) -> Terms | None:
        """What it does in place of a save at its next safe point; None: that."""


class Interruption:
    """What was asked because of one signal.

    Args:
        number: Of the signal.
        at: When it came, on the clock of `time.monotonic()`.
    """

    def __init__(self, number: int, at: float) -> None:
        self.number, self.at = number, at
        self.second_at: float | None = None
        self.is_over = False
        self._runs: list[tuple[Any, Run, Asked]] = []
        self._first_run: Run | None = None
        self._terms: Terms | None = None
        self._counts: Callable[[int], bool] = bool
        self._pipe: tuple[int, int] | None = None
        self._wakes = False
        self._in_pipe = _thread.allocate_lock()
        self._has_said = _thread.allocate_lock()
        self._has_said.acquire()
        self._gone = _thread.allocate_lock()
        self._gone.acquire()
        self._thread: threading.Thread | None = None

    @property
    def name(self) -> str:
        """Of the signal, for people."""
        return _NAMES.get(self.number, f"signal {self.number}")

    # -- in the main thread, most of it in the handler

    def asks(self, key: Any, run: Run, asked: Asked) -> None:
        """*run* was asked."""
        self._runs.append((key, run, asked))
        self._first_run = self._first_run or run

    def watch(self, counts: Callable[[int], bool], terms: Terms | None = None) -> None:
        """Begin to watch; *counts* tells which is a second signal, *terms* go before a run's."""
        self._counts, self._terms = counts, terms
        self._pipe = self._made_pipe()
        try:
            _thread.start_new_thread(self._start, ())
        except RuntimeError:  # no thread can be had: it goes without
            self._wake_no_more()
            self._close_pipe()
            self._has_said.release()
            self._gone.release()

    def _made_pipe(self) -> tuple[int, int] | None:
        try:
            pipe = os.pipe()
        except OSError:
            return None
        for end in pipe:
            os.set_blocking(end, False)
        try:
            before = _signal.set_wakeup_fd(pipe[1], warn_on_full_buffer=False)
        except ValueError:
            return pipe
        self._wakes = before == -1
        if not self._wakes:
            _signal.set_wakeup_fd(before)
            with contextlib.suppress(OSError):  # what came in between is not ours
                os.write(before, os.read(pipe[0], 4096))
        return pipe

    def _wake_no_more(self) -> None:
        if self._wakes:
            self._wakes = False
            with contextlib.suppress(ValueError):
                there = _signal.set_wakeup_fd(-1)
                if self._pipe is None or there != self._pipe[1]:
                    _signal.set_wakeup_fd(there)

    def second(self, now: float) -> None:
        """The second signal is there: no save is wanted any more."""
        self.second_at = now
        self._withdraw()
        self._wake_no_more()
        self._nudge()

    def end(self) -> None:
        """All is saved, or nothing will be; wait for the thread to end."""
        self._withdraw()
        self._wake_no_more()
        self.is_over = True
        self._nudge()
        thread = self._thread
        if thread is not None and thread.ident == _thread.get_ident():
            return
        if self._gone.acquire(timeout=_WAIT_S) and self._thread is not None:
            self._thread.join(_WAIT_S)

    def drop(self) -> None:
        """In a forked child: there is no thread, and the pipe is the parent's."""
        self._wake_no_more()
        self._close_pipe()

    def _withdraw(self) -> None:
        for _, run, asked in self._runs:
            if asked.leaves is not None:
                run.withdraw(asked)

    def _nudge(self) -> None:
        if self._in_pipe.acquire(blocking=False):  # else it is just being closed
            try:
                if self._pipe is not None:
                    os.write(self._pipe[1], b"\0")
            except BlockingIOError:
                return
            finally:
                self._in_pipe.release()

    def answered(self, number: int | None, why: BaseException | None) -> None:  # noqa: ARG002
        """The save was made, or failed: what is said of it comes behind what is said before."""
        if self._has_said.acquire(timeout=_WAIT_S):
            self._has_said.release()

    def forget(self, key: Any) -> bool:
        """That run has ended; whether none is left that could leave the program."""
        self._runs = [row for row in self._runs if row[0] is not key]
        return not any(asked.leaves is not None for _, _, asked in self._runs)

    def deliver(self) -> None:
        """Let the signal act as ever, a moment later: here it might be met in a callback."""
        with contextlib.suppress(RuntimeError):
            _thread.start_new_thread(_send_later, (self.number,))

    # -- in the watching thread

    def _start(self) -> None:
        """Start a thread of `threading`: who logs is counted as one, and stays without an end."""
        import threading  # noqa: PLC0415 - see above

        thread = threading.Thread(target=self._run, name="resume-interrupt", daemon=True)
        self._thread = thread
        try:
            thread.start()
        except RuntimeError:  # the system has none, or the program ends
            self._thread = None
            self._has_said.release()
            self._gone.release()

    def _run(self) -> None:
        try:
            self._say_first()
            self._has_said.release()
            self._wait()
        finally:
            self._close_pipe()
            self._gone.release()

    def _close_pipe(self) -> None:
        if self._wakes:
            return  # the interpreter still writes to it
        with self._in_pipe:
            pipe, self._pipe = self._pipe, None
            for end in pipe or ():
                os.close(end)

    def _wait(self) -> None:
        came_at: float | None = None
        is_nudged = False
        steps = self._steps()
        while not self.is_over:
            now = monotonic()
            if self.second_at is not None:
                if now >= self.second_at + _CLEANUP_S:
                    self._end_process_unless_left()
                    return
                until = self.second_at + _CLEANUP_S
            elif came_at is not None:
                until = came_at + (_HANDLER_S if is_nudged else _NUDGE_S)
                if now >= until and is_nudged:
                    self._end_process("the program is in a call that lets no signal in")
                if now >= until:
                    # one that comes right before a call of the system begins does not end the call
                    is_nudged = True
                    _send(self.number)
                    continue
            else:
                until = self.at + steps[0][0] if steps else now + 3600.0
                if now >= until:
                    steps.pop(0)[1]()
                    continue
            if self._has_come(until - now) and came_at is None:
                came_at = monotonic()

    def _steps(self) -> list[tuple[float, Callable[[], None]]]:
        """What is done while nothing comes, and how long after the signal."""
        if self._terms is not None:
            is_limited = math.isfinite(self._terms.limit_s)
            return [(self._terms.limit_s, self._give_up)] if is_limited else []
        steps = [(_PATIENCE_S, self._say_waiting)]
        if self.number != _signal.SIGINT:
            patience_s = max([_HANG_S, *(run.patience_s() for _, run, _ in self._runs)])
            steps.append((patience_s, self._give_up))
        return steps

    def _give_up(self) -> None:
        """Send the signal a second time."""
        from resume.units import show_seconds  # noqa: PLC0415 - see above

        waited = show_seconds(monotonic() - self.at)
        if self._terms is None:
            self._say(f"⚠ no safe point for {waited}: {self.name} acts now, without a save")
        else:
            self._say(f"⚠ {self._terms.given_up} after {waited}: {self.name} acts now")
        _send(self.number)

    def _has_come(self, seconds: float) -> bool:
        """Wait so long for a signal, or for news; whether a signal has come."""
        import select  # noqa: PLC0415 - see above

        pipe = self._pipe
        if pipe is None or not hasattr(select, "poll"):
            import time  # noqa: PLC0415

            time.sleep(min(seconds, _MOMENT_S))
            return False
        poll = select.poll()
        poll.register(pipe[0], select.POLLIN)
        poll.poll(max(0.0, seconds) * 1000)
        try:
            return any(number and self._counts(number) for number in os.read(pipe[0], 4096))
        except BlockingIOError:
            return False

    def _end_process_unless_left(self) -> None:
        if not all(run.has_left() for _, run, asked in self._runs if asked.leaves is not None):
            self._end_process("the program has not come to its end since")

    def _end_process(self, why: str) -> None:
        self._say(f"⚠ second {self._shown()}, and {why}: ended without a save")
        os._exit(128 + self.number)

    # -- what people see

    def _shown(self) -> str:
        return "Ctrl-C" if self.number == _signal.SIGINT else self.name

    def _say_first(self) -> None:
        self._choose_terms()
        place = self._first_run.place() if self._first_run is not None else ""
        answer = SAVING if self._terms is None else self._terms.answer
        what = "interrupted" if self.number == _signal.SIGINT else self.name
        again = "Ctrl-C again" if self.number == _signal.SIGINT else "a second one"
        stands = f" at {place}" if place else ""
        waits = self._terms is not None and math.isinf(self._terms.limit_s)
        self._say(f"⚠ {what}{stands}: {answer}" + ("" if waits else f"; {again} to stop now"))

    def _choose_terms(self) -> None:
        """A run that has some comes before one that waits for it."""
        for _, run, _ in self._runs.copy():
            terms = run.terms() if self._terms is None else None
            if terms is not None:
                self._first_run, self._terms = run, terms

    def _say_waiting(self) -> None:
        from resume.units import show_seconds  # noqa: PLC0415 - see above

        age = self._first_run.saved_age_s() if self._first_run is not None else None
        last = "nothing is saved yet"
        if age is not None:
            last = f"the last save is {show_seconds(age)} old"
        self._say(
            f"⚠ no safe point for {_PATIENCE_S:.0f} s, and {last}; still waiting for one. "
            f"{self._shown()} again to stop now"
        )

    def _say(self, text: str) -> None:
        import logging  # noqa: PLC0415 - see above

        from resume import notices  # noqa: PLC0415

        notices.say("%s", text, level=logging.WARNING)


def _send_later(number: int) -> None:
    import time  # noqa: PLC0415 - see above

    time.sleep(_MOMENT_S)
    _send(number)


def _send(number: int) -> None:
    """Send the signal to the main thread, unless that is at its end."""
    import threading  # noqa: PLC0415 - see above

    main = threading.main_thread()
    if main.is_alive() and not sys.is_finalizing():
        if hasattr(_signal, "pthread_kill"):
            _signal.pthread_kill(main.ident, number)
        else:
            os.kill(os.getpid(), number)
