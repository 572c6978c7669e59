"""Where checkpoints lie: the folder that a program means, and the names in it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

from resume.errors import ConfigError
from resume.place import folder_meant
from resume.store import layout
from resume.store.lock import read_holder


def find_folder(explicit: str | Path | None, start: Path | None = None) -> tuple[Path, bool]:
    """The store's folder, absolute, and whether it was found above *start*; see `folder_meant`."""
    said = None if explicit is None else os.fspath(explicit)
    folder, is_above = folder_meant(said, None if start is None else os.fspath(start))
    return Path(folder), is_above


def names(folder: Path) -> list[str]:
    """The true names of the checkpoints in *folder*, sorted; none where there is no folder."""
    if not folder.is_dir():
        return []
    return sorted(_name_of(place) for place in folder.iterdir() if _is_place(place))


def names_in_use(folder: Path) -> list[str]:
    """The true names of the checkpoints in *folder* that other programs hold, sorted."""
    if not folder.is_dir():
        return []
    here = (socket.gethostname(), os.getpid())
    holders = {place: read_holder(place) for place in folder.iterdir() if place.is_dir()}
    return sorted(
        _name_of(place)
        for place, holder in holders.items()
        if holder is not None and (holder["host"], holder["pid"]) != here
    )


def _is_place(place: Path) -> bool:
    if not place.is_dir():
        return False
    return any(
        layout.MANIFEST_NAME.fullmatch(one) or layout.BODY_NAME.fullmatch(one)
        for one in os.listdir(place)  # noqa: PTH208 - names are all that is asked
    )


def _name_of(place: Path) -> str:
    try:
        return layout.decode_name(place.name)
    except ConfigError:  # a shortened name: the manifests hold the whole one
        return next(_told_names(place), place.name)


def _told_names(place: Path) -> Iterator[str]:
    for path in sorted(place.glob("*.ckpt.manifest.json"), reverse=True):
        try:
            yield layout.decode_manifest(path.read_bytes()).name
        except (OSError, ValueError):
            continue
