"""SIGINT, SIGTERM and others: the first asks for a save, the second acts as without a checkpoint.

Goal: a Ctrl-C, or the notice of a scheduler, loses nothing; and whoever means it can still leave at
once.

What does not work: saving in the handler. It runs between any two instructions, where the variables
of the program do not agree, and it may interrupt any lock.

What we do: one handler for all runs of the process, which asks them for a save and starts a thread.
That one says what goes on and sees to it that a second signal ends the program
(`interruption.py`). The run that comes to a safe point first saves, has the handlers put back, and
leaves. Where no safe point is to be expected soon, the earlier handler acts at once. A handler that
the program sets later takes the place of ours, and stays.

What can still go wrong: a call of C code that holds the interpreter's lock for long lets no handler
run, and no thread: both signals wait for its end, and count as one.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found] # `signal` makes an enum of each number
import os
import weakref
from collections.abc import Callable, Collection
from functools import partial
from time import monotonic
from types import FrameType
from typing import Any, Protocol

from resume.errors import Preempted
from resume.interpreter import unseen
from resume.triggers.asked import Asked, Leave
from resume.triggers.interruption import SAVING, Interruption, Terms

_get, _set = _signal.getsignal, _signal.signal
USUAL: tuple[int, ...] = (_signal.SIGINT, _signal.SIGTERM)


class Interruptible(Protocol):
    """A run, as signals see it. All but `place` may be called by the handler."""

    def can_save(self) -> bool:
        """Whether the next safe point, whenever it comes, can be saved."""

    def expects_save(self, now: float) -> bool:
        """Whether it can, and is to be expected soon."""

    def ask(self, asked: Asked) -> None:
        """Save at the next safe point."""

    def withdraw(self, asked: Asked) -> None:
        """That save is not wanted any more."""

    def place(self) -> str:
        """Say where the program stands, `epoch=47/300`; empty where nobody knows."""

    def saved_age_s(self) -> float | None:
        """Seconds since the last save; None: nothing is saved."""

    def patience_s(self) -> float:
        """Seconds that the next safe point may well take."""

    def has_left(self) -> bool:
        """Whether the code that would have come to a safe point has been left."""

    def terms(self) -> Terms | None:
        """What it does in place of a save at its next safe point; None: that."""


class Subscription:
    """One run that signals ask for saves; among the sources that the run looks at."""

    def __init__(
        self,
        run: Interruptible,
        numbers: tuple[int, ...],
        exit_code: int | None,
        *,
        in_main: bool,
        delivers: bool,
    ) -> None:
        self.run: Callable[[], Interruptible | None] = weakref.ref(run)
        self.numbers, self.exit_code = numbers, exit_code
        self.in_main, self.delivers = in_main, delivers

    def look(self, now: float) -> None:  # noqa: ARG002
        """At a safe point: the program goes on, so signals are ours again if they were put back."""
        if self.in_main and _put_back and _interruption is None:
            _take_again()

    def next_look_at(self, now: float) -> float:  # noqa: ARG002
        """The handler asks by itself."""
        return float("inf")

    def close(self) -> None:
        """The run has ended: handlers that nobody needs any more are put back."""
        if self in _subscriptions:  # it may be closed again
            _subscriptions.remove(self)
            _end_of_run(self)
        _put_back_unneeded()
        if not _subscriptions:
            _put_back.clear()


_subscriptions: list[Subscription] = []
_process = 0
before: dict[int, Any] = {}
"""What was there before, by signal: those that are ours now."""
_ever: set[int] = set()
"""Signals that were ever ours: a program may put our handler back when nobody wants it."""
_left_to_parent: set[int] = set()
"""Signals that end nothing here by themselves: this is a worker, and its parent decides."""
_IN_WORKER = Terms(SAVING, float("inf"), "")
_put_back: dict[int, Any] = {}
"""What was put back because a program was about to be left."""
_interruption: Interruption | None = None
"""The first signal, until it is answered, or the second comes."""
_second: Interruption | None = None
"""One whose second signal came: the program is expected to be left."""


def subscribe(
    run: Interruptible,
    numbers: tuple[int, ...] = USUAL,
    *,
    exit_code: int | None = None,
    in_main: bool = True,
    delivers: bool = True,
) -> Subscription:
    """Let signals ask *run* for a save from now on, until the subscription is closed.

    Args:
        run: It is not kept alive.
        numbers: The signals.
        exit_code: Status by which the program is left, in place of the usual.
        in_main: It runs in the main thread. Else no handler is set for it, and nothing left.
        delivers: A signal that no safe point came for acts as ever when the run is over.
    """
    subscription = Subscription(run, numbers, exit_code, in_main=in_main, delivers=delivers)
    global _process  # noqa: PLW0603
    _process = os.getpid()
    _subscriptions.append(subscription)
    if in_main:
        _take(numbers)
    return subscription


def leave_to_parent(numbers: Collection[int]) -> None:
    """In a worker: let signals end nothing that its parent still waits for.

    A scheduler sends them to all processes of a job. Runs are asked for saves by them as ever; a
    second one counts for nothing, for the parent may have sent the first. A process that is forked
    from here has them as they were.
    """
    global _process  # noqa: PLW0603
    _process = os.getpid()
    _left_to_parent.update(numbers)
    _take(numbers)


# -- handlers


def _take(numbers: Collection[int]) -> None:
    for number in numbers:
        there = _get(number)
        if there is on_signal or there is None or there == _signal.SIG_IGN:
            continue  # None: not set from Python, and nobody could put it back
        before[number] = there
        _ever.add(number)
        _set(number, on_signal)
        _put_back.pop(number, None)


def _take_again() -> None:
    """Take those that are still as we have put them back."""
    again = [n for n, there in _put_back.items() if _get(n) == there]
    _put_back.clear()
    _take([number for number in again if number in needed()])


def needed() -> set[int]:
    """Signals that a run of the main thread wants."""
    live = [one for one in _subscriptions if one.run() is not None]
    wanted = {number for one in live if one.in_main for number in one.numbers}
    return wanted | _left_to_parent


def _put_back_unneeded() -> None:
    still = needed()
    for number in [number for number in before if number not in still]:
        _return(number)


def _return(number: int) -> None:
    try:
        if _get(number) is on_signal:
            _set(number, before[number])
        before.pop(number, None)
    except ValueError:
        return  # another thread: until the next chance the handler passes all on


def _return_all() -> None:
    for number in [number for number in before if number not in _left_to_parent]:
        _put_back[number] = before[number]
        _return(number)


@unseen
def on_signal(number, frame):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201 # pragma: no cover
    """Ask for a save, or do what was done before. Pickled by reference: programs may hold it."""
    earlier = _heard(number)
    if earlier is not None:
        earlier(number, frame)


def _heard(number: int) -> Callable[[int, FrameType | None], Any] | None:
    """Return what is to be called now; None: nothing."""
    global _interruption, _second  # noqa: PLW0603
    interruption = _interruption
    if os.getpid() != _process:  # a child amid its fork
        return _to_act(number)
    if interruption is not None and number in _left_to_parent:
        return None
    if interruption is not None:
        earlier = _to_act(number)
        interruption.second(monotonic())
        _interruption, _second = None, interruption
        _return_all()
        return earlier
    now = monotonic()
    runs = [(one, one.run()) for one in _subscriptions.copy() if number in one.numbers]
    able = [(one, run) for one, run in runs if run is not None and run.can_save()]
    if not any(run.expects_save(now) for one, run in able if one.in_main):
        return None if number in _left_to_parent else _to_act(number)
    _interruption = interruption = Interruption(number, now)
    for one, run in able:
        asked = _asked(one, interruption)
        interruption.asks(one, run, asked)
        run.ask(asked)
    interruption.watch(_is_second, _IN_WORKER if number in _left_to_parent else None)
    return None


def _to_act(number: int) -> Callable[[int, FrameType | None], Any] | None:
    earlier = earlier_of(number)
    if earlier == _signal.SIG_DFL:
        return _act_by_default
    return earlier if callable(earlier) else None


def _act_by_default(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    _set(number, _signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _is_ours(number: int) -> bool:
    return _get(number) is on_signal


def _is_second(number: int) -> bool:
    return _is_ours(number) and number not in _left_to_parent


def earlier_of(number: int) -> Any:
    """What was there before us."""
    usual = _signal.default_int_handler if number == _signal.SIGINT else _signal.SIG_DFL
    return before.get(number, usual)


# -- leaving


def _asked(one: Subscription, interruption: Interruption) -> Asked:
    leaves = None
    if one.in_main:
        leaves = Leave(
            partial(_error, interruption.number, one.exit_code), partial(_leave, interruption)
        )
    return Asked("signal", interruption.name, leaves, answer=interruption.answered)


def _leave(interruption: Interruption) -> None:
    """Put all back, and let a handler of the program's own have its say: it may raise."""
    global _interruption  # noqa: PLW0603
    _interruption = None
    earlier = earlier_of(interruption.number)
    _return_all()
    interruption.end()
    if interruption.number in _left_to_parent:
        return
    if callable(earlier) and earlier is not _signal.default_int_handler:
        earlier(interruption.number, None)


def _error(number: int, exit_code: int | None) -> BaseException:
    if exit_code is not None:
        return Preempted(exit_code)
    return KeyboardInterrupt() if number == _signal.SIGINT else Preempted()


def _end_of_run(one: Subscription) -> None:
    global _interruption, _second  # noqa: PLW0603
    interruption, second = _interruption, _second
    if second is not None and second.forget(one):
        _second = None
        second.end()
    if interruption is None or not interruption.forget(one):
        return
    _interruption = None
    interruption.end()
    if one.delivers:
        _return_all()
        interruption.deliver()


_mask: set[int] | None = None
"""What was blocked before a fork."""


def _before_fork() -> None:
    # What comes to the child before its hooks have run would go to a handler that is the parent's,
    # and the interpreter forgets it: a pool waits for ever for a worker that it has told to end.
    global _mask  # noqa: PLW0603
    ours = [number for number in _ever if _is_ours(number)]
    if ours:
        _mask = _signal.pthread_sigmask(_signal.SIG_BLOCK, ours)


def _after_fork_in_parent() -> None:
    global _mask
    mask, _mask = _mask, None
    if mask is not None:
        _signal.pthread_sigmask(_signal.SIG_SETMASK, mask)


def _after_fork_in_child() -> None:
    global _interruption, _second  # noqa: PLW0603
    for interruption in (_interruption, _second):
        if interruption is not None:
            interruption.drop()
    _interruption = _second = None
    _subscriptions.clear()
    for number in _ever:
        if _is_ours(number):
            _set(number, earlier_of(number))
    before.clear()
    _put_back.clear()
    _left_to_parent.clear()
    _after_fork_in_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
