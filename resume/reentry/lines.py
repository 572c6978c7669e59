"""Line events of the program's own frames, for a moment: what is set up is taken down again.

3.11: `f_trace` of the frames on the stack, and the trace function, where nobody holds it. Reading
and writing `f_trace` alone would do for the frames that are there; the function is what turns the
events on. What hung in `f_trace` before is kept inside what hangs there now.

3.12 and later: `sys.monitoring` with a tool of our own, for the code of the frames on the stack. A
debugger or coverage beside it notices nothing.
"""

from __future__ import annotations

import sys
from types import CodeType, FrameType
from typing import Any, Protocol

from resume.frames import frame_at
from resume.interpreter import unseen
from resume.reentry.arm import outwards

_MOST_CALLS = 20_000
"""Calls of foreign functions to look at before giving up."""


class Asker(Protocol):
    """Wants lines."""

    def is_known(self, code: CodeType) -> bool:
        """Whether lines of that code are wanted."""

    def at_line(self, frame: FrameType) -> None:
        """A line of known code begins; what is raised goes on in the frame."""

    def give_up(self, frame: FrameType) -> None:
        """It takes too long."""

    def fail(self, frame: FrameType) -> None:
        """Something was raised on the way, and goes on in the frame."""


class Lines(Protocol):
    """Tells of lines of the main thread's frames whose code is known."""

    def start(self, frame: FrameType) -> str | None:
        """Tell of each line from *frame* outwards; returns why that cannot be."""

    def stop(self, frame: FrameType) -> None:
        """Tell of none any more; *frame* is one that runs."""


@unseen
def _tell(asker: Asker, frame: FrameType) -> None:  # pragma: no cover - no tracer sees it
    try:
        asker.at_line(frame)
    except BaseException as why:
        asker.fail(frame)
        if isinstance(why, (KeyboardInterrupt, SystemExit)):
            raise why.with_traceback(None)  # noqa: B904 - it happened to the program
        raise


class TracedLines:
    """By the trace function, where it is free."""

    def __init__(self, asker: Asker) -> None:
        self.asker = asker
        self.is_on, self._calls = False, 0

    def start(self, frame: FrameType) -> str | None:  # pragma: no cover - measured by no tracer
        """Hang a call of ours into each known frame, and take the trace function."""
        if sys.gettrace() is not None:
            return "a debugger or coverage holds the trace function"
        self.is_on, self._calls = True, 0
        for each in outwards(frame):
            if self.asker.is_known(each.f_code):
                each.f_trace = _Line(self, each.f_trace)
        sys.settrace(self._called)
        return None

    def stop(self, frame: FrameType) -> None:  # pragma: no cover - measured by no tracer
        """Leave all as it was; frames that are suspended now find out when they go on."""
        self.is_on = False
        if sys.gettrace() == self._called:
            sys.settrace(None)
        for each in outwards(frame):
            hung = each.f_trace
            if isinstance(hung, _Line):
                each.f_trace = hung.before

    def _called(self, frame: FrameType, *_: Any) -> Any:  # pragma: no cover - measured by no tracer
        self._calls += 1
        if self._calls > _MOST_CALLS:
            self.asker.give_up(frame)
            return None
        return _Line(self, None) if self.asker.is_known(frame.f_code) else None


class _Line:
    """Hangs in `f_trace`, for as long as lines are told of."""

    __slots__ = ("_lines", "before")

    def __init__(self, lines: TracedLines, before: Any) -> None:
        self._lines, self.before = lines, before

    @unseen
    def __call__(self, frame: FrameType, event: str, _: Any) -> Any:  # pragma: no cover
        if not self._lines.is_on:
            frame.f_trace = self.before
        elif event == "line":
            _tell(self._lines.asker, frame)
        return None  # what hangs there stays


class MonitoredLines:
    """By a tool of our own, beside whoever traces or monitors; 3.12 and later."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker
        self._tool: int | None = None
        self._codes: dict[int, CodeType] = {}

    def start(self, frame: FrameType) -> str | None:  # pragma: no cover - measured by no tracer
        """Ask for the lines of all known code on the stack."""
        monitoring: Any = sys.monitoring  # type: ignore[attr-defined,unused-ignore]
        self._tool = next((tool for tool in (4, 3, 1, 0) if not monitoring.get_tool(tool)), None)
        if self._tool is None:
            return "all tools of sys.monitoring are taken"
        monitoring.use_tool_id(self._tool, "resume")
        monitoring.register_callback(self._tool, monitoring.events.LINE, self._line)
        for each in outwards(frame):
            if id(each.f_code) not in self._codes and self._asker.is_known(each.f_code):
                self._codes[id(each.f_code)] = each.f_code
                monitoring.set_local_events(self._tool, each.f_code, monitoring.events.LINE)
        return None

    def stop(self, frame: FrameType) -> None:  # noqa: ARG002 # pragma: no cover - as above
        """Give the tool back."""
        if self._tool is None:
            return
        monitoring: Any = sys.monitoring  # type: ignore[attr-defined,unused-ignore]
        for code in self._codes.values():
            monitoring.set_local_events(self._tool, code, 0)
        self._codes.clear()
        monitoring.register_callback(self._tool, monitoring.events.LINE, None)
        monitoring.free_tool_id(self._tool)
        self._tool = None

    @unseen
    def _line(self, code: CodeType, number: int) -> None:  # pragma: no cover
        del number
        frame = frame_at(1)
        if frame.f_code is code:
            _tell(self._asker, frame)
