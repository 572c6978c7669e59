"""One call of a decorated function, from its beginning to its end."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from time import monotonic
from types import FrameType
from typing import Any

from resume import notices, points
from resume.decorated.execution import CallExecution
from resume.decorated.units import UNITS
from resume.errors import ResumeError
from resume.listening import listen
from resume.reentry.arm import Alarm
from resume.reentry.wrappers import running
from resume.standing import Generation


class SavedCall:
    """A call that is saved while it runs; there is one at a time."""

    def __init__(self, execution: CallExecution, target: Callable[[], Any], *, cache: bool) -> None:
        self.target = target
        self._execution, self._cache = execution, cache
        self._process = os.getpid()
        self._alarm = Alarm(lambda: UNITS, self._at_point, self._wait_s, poll_s=self._poll_s)
        execution.asking.wake = self._wake

    def start(self) -> None:
        """From now on it is saved, and what is called below it belongs to it."""
        running.append(self)
        points.listen(self._ask)
        execution = self._execution
        listen(execution, execution.asking, execution.settings, execution.caller)
        execution.let_others_ask()
        self._alarm.start()

    def returned(self, result: Any) -> Any:
        """Remove what is saved, or keep the result instead."""
        if self._stop():
            try:
                if self._cache and not self._execution.is_left:
                    self._execution.keep(result)
                else:
                    self._execution.finish()
            except ResumeError as why:  # the result is there, and must not be lost for this
                notices.say("⚠ %s: %s", self._execution.engine.name, why)
        return result

    def failed(self, why: BaseException) -> None:
        """Keep what is saved for the rerun."""
        if self._stop():
            self._execution.close(why)

    def _stop(self) -> bool:
        """Save no more; False: this is a forked child, and the state is none of its business."""
        self._alarm.stop()
        points.ignore(self._ask)
        running.remove(self)
        reasons = self._alarm.reasons
        for reason in [each for each in reasons if not each.startswith("no code of the program")]:
            self._execution.postponed[reason] += reasons[reason]
        return os.getpid() == self._process

    # -- saves

    def _wait_s(self) -> float | None:
        return None if self._execution.is_off else self._execution.wait_s()

    def _wake(self) -> None:
        if self._execution.asking.is_asked:  # else there is only somebody more to look at
            self._alarm.ask()

    def _poll_s(self) -> float:
        now = monotonic()
        self._execution.asking.poll(now)
        return self._execution.asking.next_poll_at - now

    def _at_point(self, frame: FrameType) -> bool:
        if not self._execution.wants_save("line"):  # a call was faster
            return True
        return self._execution.save(frame, "sync", at_line=True)

    def _ask(self, frame: FrameType, trigger: str) -> None:
        if not self._execution.is_off and self._execution.wants_save(trigger):
            self._execution.save(frame, trigger, at_line=False)


class CachedCall:
    """A call whose result is known."""

    def __init__(self, execution: CallExecution, generation: Generation) -> None:
        self._execution = execution
        self.target: Callable[[], Any] = partial(execution.result_of, generation)

    def returned(self, result: Any) -> Any:
        """Give the line back."""
        self._execution.close()
        return result

    def failed(self, why: BaseException) -> None:
        """Give the line back; all stays as it is."""
        del why
        self._execution.close()
