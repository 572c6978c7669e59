"""What `restore()`, `sync()` and `save()` answer: truthy records, and falsy ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from resume.units import show_seconds


@dataclass(frozen=True, slots=True)
class Restored:
    """What `restore()` brought back; falsy where it was a fresh start."""

    generation: int | None = None
    """Number of the generation, None for a fresh start."""
    age_s: float = 0.0
    """Seconds since it was saved, by this machine's clock."""
    restored: tuple[str, ...] = ()
    """Names that came back."""
    skipped: tuple[str, ...] = ()
    """Names that the generation does not hold; the rerun keeps its own values."""
    complete: bool = False
    """The block had already ended."""

    def __bool__(self) -> bool:
        return self.generation is not None

    def __str__(self) -> str:
        if self.generation is None:
            return "fresh start"
        return f"generation {self.generation}, saved {show_seconds(self.age_s)} ago"


@dataclass(frozen=True, slots=True)
class Saved:
    """A generation that was saved."""

    generation: int
    is_durable: bool = True
    """Off where the state is captured and the disk is still being written to."""

    def __bool__(self) -> Literal[True]:
        return True


@dataclass(frozen=True, slots=True)
class Deferred:
    """No save was made now: it was not due, or it waits for the next place where it is exact."""

    why: str

    def __bool__(self) -> Literal[False]:
        return False


NOT_DUE = Deferred("not due")
AT_ITEM_END = Deferred("at the end of the loop's item")
ON_THE_WAY = Deferred("on the way back to the saved place")
FINISHED = Deferred("the block had already ended: its final state stands")
REQUESTED = Deferred("asked for from another thread: at the next safe point")
BUSY = Deferred("the save before is still on its way to the disk")
FAILED = Deferred("the save failed; see the line on stderr")
SWITCHED_OFF = Deferred("checkpoints are switched off in this process")
