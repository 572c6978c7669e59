"""Saves that somebody outside the loop asks for, and who may ask.

Named tuples, for the modules behind `dataclasses` take longer to load than a script to start.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, Protocol

from resume.errors import Preempted

if TYPE_CHECKING:
    from resume.types import JSON

_NO_EXTRA: Mapping[str, JSON] = MappingProxyType({})


def _nothing() -> None:
    pass


class Leave(NamedTuple):
    """How the program is left when its state is saved."""

    error: Callable[[], BaseException] = Preempted
    """Makes what is raised at the safe point."""
    before: Callable[[], None] = _nothing
    """Called there first, in its thread; what this raises leaves in its place."""


def _nobody(number: int | None, why: BaseException | None) -> None:
    pass


class Asked(NamedTuple):
    """A save that was asked for, and what comes of it."""

    trigger: str
    """For the manifest: `signal`, `deadline`, `request`, `preempt`."""
    why: str
    """For people: `SIGTERM`, `SLURM_JOB_END_TIME`, the path of a file."""
    leaves: Leave | None = None
    """How the program is left behind the save; None: it goes on."""
    extra: Mapping[str, JSON] = _NO_EXTRA
    """Goes into `extra` of the manifest, beside what is there."""
    answer: Callable[[int | None, BaseException | None], None] = _nobody
    """Called once: with the number of the durable generation, or with why there is none.

    In the thread of the safe point, which waits for it.
    """


class Source(Protocol):
    """Knows of saves that are wanted; it is asked at safe points, or in the timer's thread."""

    def look(self, now: float) -> Asked | None:
        """Return what is asked for, once; *now* is of `time.monotonic()`.

        It raises nothing: what it cannot find out, it says.
        """

    def next_look_at(self, now: float) -> float:
        """When to look again; inf: a second later, as all sources."""

    def close(self) -> None:
        """The run has ended; called once, from any thread."""
