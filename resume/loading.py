"""Looking at a saved run from elsewhere: its variables, without its program."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from resume.custom import current_renames
from resume.errors import ConfigError
from resume.position import Position
from resume.snapshot import revive
from resume.store import Store, find_folder, names
from resume.types import Manifest


class SavedVariables(Mapping[str, Any]):
    """The variables of one generation; a copy, which nothing writes back."""

    def __init__(self, manifest: Manifest, variables: Mapping[str, Any]) -> None:
        self.manifest = manifest
        self._variables = dict(variables)

    @property
    def generation(self) -> int:
        """Number of the generation."""
        return self.manifest.number

    def __getitem__(self, name: str) -> Any:
        return self._variables[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)

    def __repr__(self) -> str:
        return f"<SavedVariables {self.manifest.name} gen={self.generation}: {', '.join(self)}>"


def load(
    name: str,
    *,
    folder: str | os.PathLike[str] | None = None,
    generation: int | None = None,
    trust: bool | None = None,
) -> SavedVariables:
    """The saved variables of checkpoint *name*, for looking at a run from a notebook.

    Classes that cannot be imported here come as stand-ins with their attributes. Nothing is locked
    or written, and no random generator is set.

    Args:
        name: Name of the checkpoint, as `resume ls` shows it.
        folder: Folder of the checkpoints, as for `Checkpoint`.
        generation: Number of the generation; the newest whole one by default.
        trust: Accept state that somebody else may have written.

    Raises:
        ConfigError: There is no such checkpoint.
        IntegrityError: The generation is damaged.
        TrustError: The files may have been written by somebody else.
    """
    place, _ = find_folder(None if folder is None else os.fspath(folder))
    store = Store(place, name, trust=trust)
    if generation is None:
        found = store.read_best()
        manifest, content = (found[0], found[1]) if found else (None, None)
    else:
        manifest = store.manifest(generation)
        content = store.read(manifest)
    if manifest is None or content is None:
        known = ", ".join(names(place)) or "none"
        raise ConfigError(f"there is no checkpoint {name!r} in {place}; there are: {known}")
    revived = revive(
        content,
        loops=len(Position.from_json(manifest.draft.position).loops),
        live={},
        own={"checkpoint": None},
        rename=current_renames(),
        stand_ins=True,
    )
    return SavedVariables(manifest, {**revived.values, **revived.names})
