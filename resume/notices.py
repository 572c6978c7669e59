"""What people see: one line per event that matters, through the logger `resume`.

The library has a handler of its own only for programs that configured no logging at all, and looks
again at each line, so a program that configures logging later gets every line once.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import warnings
from pathlib import Path
from types import FrameType
from typing import TextIO

from resume.errors import ResumeWarning

INFO, WARNING = logging.INFO, logging.WARNING
_logger = logging.getLogger("resume")
_PACKAGE = str(Path(__file__).parent) + os.sep


class _LastResort(logging.Handler):
    """Writes to the current stderr, and only while the program has no handler that would."""

    is_alone = False
    """Our lines are no lines of the program, whatever handlers it has."""

    def emit(self, record: logging.LogRecord) -> None:
        others = [h for h in _logger.handlers if h is not self]
        if not self.is_alone:
            others += logging.getLogger().handlers
        if others or sys.stderr is None:
            return
        with contextlib.suppress(OSError, ValueError):  # the terminal is gone: the work goes on
            _write_line(sys.stderr, record.getMessage())


def _write_line(stream: TextIO, line: str) -> None:
    try:
        stream.write(line + "\n")
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        stream.write(line.encode(encoding, "replace").decode(encoding) + "\n")
    stream.flush()


def install(*, apart: bool = False) -> None:
    """Make sure that lines reach the user; safe to call any number of times.

    Args:
        apart: The program knows nothing of us: what it logs is to hold no line of ours.
    """
    if apart:
        _logger.propagate = False
    ours = [handler for handler in _logger.handlers if isinstance(handler, _LastResort)]
    if not ours:
        ours = [_LastResort()]
        _logger.addHandler(ours[0])
        if _logger.level == logging.NOTSET and (apart or not logging.getLogger().handlers):
            _logger.setLevel(logging.INFO)
    ours[0].is_alone = ours[0].is_alone or apart


def is_quiet() -> bool:
    """`RESUME_QUIET=1` silences every line; errors are raised all the same."""
    return os.environ.get("RESUME_QUIET", "") not in ("", "0")


def say(text: str, *args: object, level: int = logging.INFO) -> None:
    """One line for the user, in the logger's lazy form."""
    if not is_quiet():
        _logger.log(level, text, *args)


def say_anywhere(text: str, *args: object, level: int = logging.INFO) -> None:
    """`say`, also in a bare thread, which logging would enter into the program's list of threads.

    There a short-lived thread says it, and it may come a moment later.
    """
    import threading  # noqa: PLC0415 - logging has it anyway

    here = threading.get_ident()
    if is_quiet() or any(thread.ident == here for thread in threading.enumerate()):
        say(text, *args, level=level)
        return
    saying = threading.Thread(
        target=say, args=(text, *args), kwargs={"level": level}, name="resume-says", daemon=True
    )
    with contextlib.suppress(RuntimeError):  # none can be started: the program ends
        saying.start()


def warn(text: str) -> None:
    """A `ResumeWarning` that points at the innermost line of the user's own code."""
    frame = user_frame(sys._getframe(1))  # noqa: SLF001 - below the room of frames
    if frame is None:
        warnings.warn(text, ResumeWarning, stacklevel=2)
        return
    warnings.warn_explicit(
        text,
        ResumeWarning,
        filename=frame.f_code.co_filename,
        lineno=frame.f_lineno or 0,
        module=str(frame.f_globals.get("__name__", "")),
        # the user's registry: the same warning at the same line shows once
        registry=frame.f_globals.setdefault("__warningregistry__", {}),
    )


def user_frame(frame: FrameType | None) -> FrameType | None:
    """The innermost frame at or above *frame* whose code does not lie in this package."""
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    return frame
