"""Which generations of a chain stay."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from resume.errors import ConfigError
from resume.types import Manifest

EXPIRE_S = 30 * 86400.0


@dataclass(frozen=True, slots=True)
class Retention:
    """What stays after a save. Other lines are set aside, and stay whatever this says."""

    keep: int = 3
    """The newest so many generations of the chain."""
    keep_every: int | None = None
    """And those whose number this divides."""
    keep_best: str | None = None
    """And the one with the lowest metric. The engine turns what is better into what is less."""
    expire_s: float | None = EXPIRE_S
    """Complete generations older than this are set aside at the next start."""

    def __post_init__(self) -> None:
        """Refuse what would keep nothing."""
        for what, value in (("keep", self.keep), ("keep_every", self.keep_every)):
            if value is not None and (isinstance(value, bool) or value < 1):
                raise ConfigError(f"{what}={value!r}: give a whole number from 1 up")


def staying(chain: Sequence[Manifest], retention: Retention) -> set[int]:
    """Numbers that stay of *chain*, the newest first. Only the whole ones may be given."""
    stay = {one.number for one in chain[: retention.keep]}
    if retention.keep_every is not None:
        stay.update(one.number for one in chain if one.number % retention.keep_every == 0)
    if retention.keep_best is not None:
        stay.update(_best(chain))
    return stay | _bases(chain, stay)


def _best(chain: Sequence[Manifest]) -> list[int]:
    rated = [
        (one.draft.metric, -one.number)
        for one in chain
        if one.draft.metric is not None and not math.isnan(one.draft.metric)
    ]
    return [-min(rated)[1]] if rated else []


def _bases(chain: Sequence[Manifest], stay: set[int]) -> set[int]:
    """What a rerun of a kept complete generation goes on from."""
    base_of = {one.number: one.draft.base for one in chain if one.draft.complete}
    found: set[int] = set()
    for number in stay:
        base = base_of.get(number)
        while base is not None and base not in found:
            found.add(base)
            base = base_of.get(base)
    return found
