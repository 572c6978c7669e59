"""Putting a decoded state into its owner: names, random generators, and nothing stale beside."""

from __future__ import annotations

import fnmatch
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from types import CellType, FrameType
from typing import Any

from resume import rng
from resume.errors import RestoreError
from resume.owner import FrameOwner, Owner, reachable_mutables
from resume.pickling.standins import StandIn
from resume.snapshot import Revived, revive, user_names
from resume.types import Content


class Application:
    """One generation on its way into an owner: once at `restore()`, once more at its door."""

    def __init__(
        self,
        owner: Owner,
        *,
        loops: int,
        live: Mapping[str, Any],
        keep: Collection[str],
        saved: Collection[str],
        skipped: Collection[str],
        own: Mapping[str, Any],
        rename: Mapping[str, str],
        exclude: Collection[str] = (),
    ) -> None:
        self._owner = owner
        self._loops = loops
        self._live = live
        self._keep = frozenset(keep)
        """Names whose values are the caller's, whatever was saved."""
        self._saved = frozenset(saved)
        self._skipped = frozenset(skipped)
        self._own = own
        self._rename = rename
        self._exclude = tuple(exclude)
        """Patterns of names that keep the rerun's own values, though they may have been saved."""
        self._anchored: Mapping[str, Any] = {}
        self.revived: Revived | None = None
        self._stand_ins = False

    def apply(self, content: Content, frame: FrameType | None, names: Mapping[str, Any]) -> Revived:
        """Decode *content* and bind it; *names* are the state's names as the owner has them now.

        Raises:
            RestoreError: The state cannot be brought back whole; nothing was changed.
        """
        bound = self._owner.read(frame)
        excluded = {name: bound[name] for name in bound if self._is_excluded(name)}
        here = {**excluded, **names}
        left_out = {name for name in self._saved - self._skipped if self._is_excluded(name)}
        stand_ins = bool(left_out) and self.revived is None and self._look_ahead(content, left_out)
        revived = revive(
            content,
            loops=self._loops,
            live=self._live,
            anchored=self._anchored,
            externals=bound,
            untouched=self._keep,
            own=self._own,
            cells=self._cells(frame),
            rename=self._rename,
            stand_ins=stand_ins or self._stand_ins,
            approve=lambda values, contents: self._refuse_stale(here, values, contents),
        )
        self._stand_ins = stand_ins or self._stand_ins
        wanted = {name: revived.names[name] for name in revived.names if not self._is_kept(name)}
        self._owner.write(frame, wanted)
        rng.apply(revived.random_state)
        self._anchored = revived.anchored
        self.revived = revived
        return revived

    def _look_ahead(self, content: Content, left_out: Collection[str]) -> bool:
        """Decode once for nothing, because *left_out* were saved and are not wanted any more.

        Returns:
            Whether classes that are gone matter to nobody else.

        Raises:
            RestoreError: What is wanted shares an object with what is not.
        """
        names = revive(content, loops=self._loops, live={}, own=self._own, stand_ins=True).names
        others = [names[name] for name in names if not self._is_kept(name)]
        wanted = reachable_mutables(others, limit=sys.maxsize)
        for name in sorted(left_out & names.keys()):
            if any(key in wanted for key in reachable_mutables([names[name]], limit=sys.maxsize)):
                raise RestoreError(
                    f"exclude= names {name!r}, and it shares an object with a variable that comes "
                    "back: there would be two of it. Nothing was changed, and the saved generation "
                    "is untouched. Exclude both, or neither"
                )
        return not any(isinstance(value, StandIn) for value in wanted.values())

    def _refuse_stale(
        self, here: Mapping[str, Any], values: Mapping[str, Any], contents: Sequence[Any]
    ) -> None:
        """Refuse a name that keeps its value while that value holds an object to be replaced.

        Called when all is decoded and nothing is touched yet. What the new state holds as well
        (the objects restored in place, what the libraries share) is not stale.
        """
        wanted = {n: v for n, v in user_names(values).items() if not self._is_kept(n)}
        kept = {name: value for name, value in here.items() if name not in wanted}
        replaced = {n: here[n] for n, v in wanted.items() if n in here and here[n] is not v}
        if not kept or not replaced:
            return
        new = reachable_mutables([*wanted.values(), *contents])
        reached = {name: reachable_mutables([value]) for name, value in kept.items()}
        for other, value in replaced.items():
            objects = reachable_mutables([value])
            for name, keys in reached.items():
                if any(key in objects and key not in new for key in keys):
                    raise RestoreError(
                        f"{name!r} holds {other!r} as it was before the restore: create {name!r} "
                        "after restore(), from the restored value. Nothing was changed, and the "
                        "saved generation is untouched"
                    )

    def _is_kept(self, name: str) -> bool:
        return name in self._keep or self._is_excluded(name)

    def _is_excluded(self, name: str) -> bool:
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self._exclude)

    def unbind_later_names(self, frame: FrameType | None, names: Collection[str]) -> None:
        """At the door: a name that was not bound when the state was saved is not bound after it.

        Raises:
            RestoreError: From Python 3.12 on a function's variable cannot be unbound from outside.
        """
        assert self.revived is not None
        known = self.revived.names.keys() | self._skipped | self._keep
        later = [name for name in names if name not in known]
        left = self._owner.unbind(frame, later) if later else []
        if left:
            raise RestoreError(
                f"{', '.join(map(repr, left))} had been deleted when the state was saved, and the "
                "statements on the way back have bound it again; Python 3.12 and later cannot undo "
                "that in a function. The saved generation is untouched. Set the variable to None "
                "instead of deleting it"
            )

    def _cells(self, frame: FrameType | None) -> Callable[[str], CellType | None] | None:
        owner = self._owner
        if not isinstance(owner, FrameOwner) or frame is None:
            return None
        return lambda name: owner.cell(frame, name)
