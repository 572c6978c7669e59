"""Putting a decoded state into its owner: names, random generators, and nothing stale beside."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Collection, Mapping
from types import CellType, FrameType
from typing import Any

from resume import rng
from resume.errors import RestoreError
from resume.owner import FrameOwner, Owner, reachable_mutables
from resume.snapshot import Revived, revive
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

    def apply(self, content: Content, frame: FrameType | None, names: Mapping[str, Any]) -> Revived:
        """Decode *content* and bind it; *names* are the state's names as the owner has them now.

        Raises:
            RestoreError: The state cannot be brought back whole; nothing was changed.
        """
        bound = self._owner.read(frame)
        self._refuse_stale(bound, names)
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
        )
        wanted = {name: revived.names[name] for name in revived.names if not self._is_kept(name)}
        self._owner.write(frame, wanted)
        rng.apply(revived.random_state)
        self._anchored = revived.anchored
        self.revived = revived
        return revived

    def _refuse_stale(self, bound: Mapping[str, Any], names: Mapping[str, Any]) -> None:
        """Refuse a name that keeps its value while that value holds an object to be replaced.

        Looked at before anything is decoded: what is restored in place would be changed by then.
        """
        excluded = {name: bound[name] for name in bound if self._is_excluded(name)}
        here = {**excluded, **names}
        kept = {n: v for n, v in here.items() if n not in self._saved or self._is_kept(n)}
        if not kept:
            return
        reached = {name: reachable_mutables([value]) for name, value in kept.items()}
        staying = reachable_mutables([*self._live.values(), *self._anchored.values()])
        staying |= {id(value): value for value in kept.values()}
        for other in self._saved - kept.keys():
            if other not in names or id(names[other]) in staying:
                continue
            objects = reachable_mutables([names[other]])
            for name, keys in reached.items():
                if any(key in objects and key not in staying for key in keys):
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
        """At the door: a name that was not bound when the state was saved is not bound after it."""
        assert self.revived is not None
        known = self.revived.names.keys() | self._skipped | self._keep
        later = [name for name in names if name not in known]
        if later:
            self._owner.unbind(frame, later)

    def _cells(self, frame: FrameType | None) -> Callable[[str], CellType | None] | None:
        owner = self._owner
        if not isinstance(owner, FrameOwner) or frame is None:
            return None
        return lambda name: owner.cell(frame, name)
