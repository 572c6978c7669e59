"""Run the program with no frame of ours below it, and let the interpreter end it.

Goal: what looks at the stack (`print_stack`, `stacklevel`, `sys._getframe`, tracebacks) sees what
it sees under `python SCRIPT`; so does whoever looks at how the process ended.

What does not work: `exec` below a function of ours, as `runpy` does. The stack shows it, and the
frames of the console script below it, which are not ours to hide. Nor can the interpreter be made
to run a script once more by itself.

What we do: leave all frames by an exception. The interpreter then calls `sys.excepthook`, with no
Python frame below, and what it calls is a function that shows nowhere (`interpreter.unseen`). A
SystemExit that leaves the hook is treated as at the end of any script, text and status. When the
hook returns, the interpreter goes on to its end, and dies by SIGINT if it was told of an unhandled
KeyboardInterrupt.

What can still go wrong: the recursion limit is met one or two calls earlier.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NoReturn, Protocol

from resume.interpreter import unseen

_LAST = ("last_type", "last_value", "last_traceback", "last_exc")
_display = sys.__excepthook__
_type, _is_a = type, isinstance


class Start(Protocol):
    """How a program starts and ends."""

    flushes: bool
    """Its output is flushed before its traceback is shown, as that of a script is."""

    def begin(self) -> Callable[[], Any]:
        """Return what runs the program; a C function, or one that is unseen."""

    def end(self, raised: BaseException | None) -> None:
        """The program's code has ended; its traceback is still to be shown."""

    def leave(self) -> None:
        """All is shown."""


class _Launch(BaseException):
    """Leaves all frames; the hook knows it by its start."""

    start: Start


def launch(start: Start) -> NoReturn:
    """Run a program in place of the one that calls this, which ends here.

    To be called where nothing above catches BaseException.
    """
    leaving = _Launch()
    leaving.start = start
    sys.excepthook = _run
    raise leaving


def _forget_launch(leaving: BaseException) -> None:
    sys.excepthook = _display
    leaving.__traceback__ = None
    for name in _LAST:
        if hasattr(sys, name):
            delattr(sys, name)


def _flush() -> None:
    for stream in (sys.stderr, sys.stdout):
        try:
            stream.flush()
        except Exception:  # noqa: BLE001, S112 - as the interpreter: it is told of at the end
            continue


def _end(start: Start, raised: BaseException | None) -> None:
    start.end(raised)
    if start.flushes:
        _flush()
    if raised is not None and not isinstance(raised, SystemExit):
        if sys.version_info >= (3, 12):
            sys.last_exc = raised
        sys.last_type, sys.last_value = type(raised), raised
        sys.last_traceback = raised.__traceback__


def _show_failed_hook(first: BaseException, second: BaseException) -> None:
    for title, error in (
        ("Error in sys.excepthook:", second),
        ("\nOriginal exception was:", first),
    ):
        sys.stderr.write(title + "\n")
        _display(type(error), error, error.__traceback__)


def _end_by_interrupt() -> None:
    from resume.frames.ending import note_unhandled_interrupt  # noqa: PLC0415 - ctypes: 4 ms

    note_unhandled_interrupt()


@unseen
def _run(kind, value, trace):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 # pragma: no cover
    start = value.start
    _forget_launch(value)
    del kind, value, trace
    raised = None
    try:
        start.begin()()
    except BaseException as why:  # noqa: BLE001 - whatever ends the program
        raised = why
    _end(start, raised)
    if raised is None:
        start.leave()
        raise SystemExit(0)
    if _is_a(raised, SystemExit):
        start.leave()
        raise raised
    _show(raised)  # type: ignore[no-untyped-call]
    start.leave()
    if _type(raised) is not KeyboardInterrupt:
        raise SystemExit(1)
    _end_by_interrupt()


@unseen
def _show(raised):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 # pragma: no cover
    try:
        hook = sys.excepthook
    except AttributeError:
        sys.stderr.write("sys.excepthook is missing\n")
        hook = _display
    sys.audit("sys.excepthook", hook, _type(raised), raised, raised.__traceback__)
    failed = None
    try:
        hook(_type(raised), raised, raised.__traceback__)
    except SystemExit:
        raise
    except BaseException as why:  # noqa: BLE001 - whatever it raised
        failed = why
    if failed is not None:
        _show_failed_hook(raised, failed)
