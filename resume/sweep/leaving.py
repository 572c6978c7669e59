"""When a launch is to leave: at the signals and the deadline at which a checkpoint would save.

All that is done is recorded, so there is nothing to save. What takes time is what still runs: it is
waited for up to a grace. A second signal acts at once, as it does for a checkpoint.
"""

from __future__ import annotations

from _thread import get_ident
from collections.abc import Callable
from threading import main_thread
from time import monotonic
from types import FrameType

from resume import notices
from resume.asking import Askable, Asking
from resume.departing import leave_in_time
from resume.listening import listen
from resume.settings import Settings
from resume.sweep.ledger import Ledger
from resume.triggers.asked import Asked
from resume.triggers.interruption import Terms
from resume.units import show_seconds

_LEAVING_S = 60.0
"""Who has waited for the grace needs no longer than that to leave."""


class Leaving(Askable):
    """What a launch is asked for from outside.

    Args:
        ledger: What is recorded.
        settings: The signals, the deadline, and how the program is left.
        grace_s: Running items are waited for so long.
        before: Called before anything is said.
    """

    def __init__(
        self,
        ledger: Ledger,
        settings: Settings,
        grace_s: float,
        before: Callable[[], None],
    ) -> None:
        self.asking = Asking()
        self.signals: tuple[int, ...] = ()
        """Those that are listened to."""
        self.is_refused = False
        """Whether somebody would not wait, or another run has answered."""
        self.works_here = False
        """Whether the item that runs does so in this thread, which cannot wait for it."""
        self._ledger, self._settings, self._grace_s = ledger, settings, grace_s
        self._before = before
        self._has_ended = self._has_told = False

    def begin(self, frame: FrameType | None) -> None:
        """Listen from now on, until `close`; only in the main thread, for no other can leave.

        Args:
            frame: The user's, who may sit at a prompt.

        Raises:
            ConfigError: The deadline is no time.
        """
        if get_ident() != main_thread().ident:
            return
        settings = self._settings
        leave_in_time(
            self.asking,
            settings.deadline,
            settings.before_end,
            settings.requeue,
            exit_code=settings.exit_code,
        )
        self.signals = listen(self, self.asking, settings, frame)

    def is_wanted(self) -> bool:
        """Whether the launch is to leave; looks at the clock."""
        return self.asking.poll(monotonic()) is not None

    @property
    def is_told(self) -> bool:
        """Whether it was said already that and why the launch is to leave."""
        return self._has_told

    def note_item(self, seconds: float, *, saves_itself: bool) -> None:
        """An item took so long: the last ones have to end before the deadline."""
        if self.works_here and not saves_itself:
            self.asking.gaps.note(seconds)
        elif not self.works_here:
            self.asking.gaps.note(min(seconds, self._grace_s))

    def leave(self) -> None:
        """Leave the program, if that is wanted.

        Raises:
            BaseException: By which it is left.
        """
        if not self.is_wanted():
            return
        wishes = self.asking.take()
        counts = self._ledger.counts()
        wishes.answer(counts["done"])
        notices.say(
            "%s: %s are recorded (%s); run the program again to go on with the rest",
            self._ledger.name, self.place(), wishes.why,
        )  # fmt: skip
        raise wishes.way_out()

    def close(self) -> None:
        """Listen no more. A signal that nobody has answered acts as ever, a moment later."""
        self._has_ended = True
        self.asking.close()

    # --- signals, some of it called by a handler -------------------------------------------------

    def can_save(self) -> bool:
        """All is recorded."""
        return not self._has_ended

    def expects_save(self, now: float) -> bool:  # noqa: ARG002
        """Items come to their end."""
        return self.can_save()

    def withdraw(self, asked: Asked) -> None:
        """Leave at once; or an item in this thread has answered, and the program leaves by that."""
        self.is_refused = True
        super().withdraw(asked)

    def place(self) -> str:
        """Say how far the sweep is."""
        counts = self._ledger.counts()
        return f"{counts['done']} of {counts['items']} items"

    def saved_age_s(self) -> float | None:
        """Nobody knows how old the last result is."""
        return None

    def has_left(self) -> bool:
        """Whether the launch has ended."""
        return self._has_ended

    def terms(self) -> Terms:
        """It begins no more items, and waits for those that run."""
        self._has_told = True
        self._before()
        grace = show_seconds(self._grace_s)
        if self.works_here:
            return Terms(
                f"waiting up to {grace} for the item that runs",
                self._grace_s,
                "the item still runs",
            )
        return Terms(
            f"beginning no more items, waiting up to {grace} for those that run",
            self._grace_s + _LEAVING_S,
            "the sweep has not left",
        )
