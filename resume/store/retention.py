"""Which generations of a chain stay, and how the others go."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from resume.errors import ConfigError
from resume.store import layout
from resume.store.files import Disk
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
    """And the one with the lowest metric, or the highest where this begins with `max`."""
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
        stay.update(_best(chain, retention.keep_best))
    return stay | _bases(chain, stay)


def _best(chain: Sequence[Manifest], what: str) -> list[int]:
    sign = -1 if what.startswith("max") else 1
    rated = [
        (sign * one.draft.metric, -one.number)
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


def body_names(text: bytes) -> frozenset[str]:
    """The bodies that a manifest's text names, readable or not: what may be needed stays."""
    return frozenset(hit.decode("ascii") for hit in layout.ANY_BODY.findall(text))


def remove_generations(
    disk: Disk, place: Path, gone: Iterable[int], unneeded: Iterable[str]
) -> None:
    """Remove manifests, then the bodies that only they needed.

    In this order, the oldest first: dying in between leaves bodies that nobody names, never a
    manifest whose body is gone.

    Raises:
        OSError: The disk refused; what is left is whole.
    """
    for number in sorted(gone):
        remove_file(disk, place / layout.manifest_name(number))
    for name in sorted(unneeded):
        remove_file(disk, place / name)


def remove_file(disk: Disk, path: Path) -> int:
    """Remove *path*, and return the bytes freed; 0 where it is gone already."""
    size = 0
    with suppress(FileNotFoundError):
        size = os.stat(path).st_size  # noqa: PTH116
        disk.unlink(path)
    return size
