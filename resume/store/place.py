"""Where checkpoints lie: the folder that a program means, and the names in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from resume.errors import ConfigError
from resume.store import layout

FOLDER = ".checkpoints"
_VCS = (".git", ".hg", ".svn", ".jj", ".bzr", "_darcs", ".fslckout")


def find_folder(explicit: str | Path | None, start: Path | None = None) -> tuple[Path, bool]:
    """The store's folder, absolute, and whether it was found above *start*.

    `folder=` > `RESUME_DIR` > the nearest `.checkpoints` from *start* (default: the working folder)
    up to the root of its version control (without one: *start* alone) > a new one in *start*.
    Nothing is created.
    """
    here = Path.cwd() if start is None else Path(start).absolute()
    said = explicit or os.environ.get("RESUME_DIR")
    if said:
        return here / Path(said).expanduser(), False
    for folder in _upwards(here):
        if (folder / FOLDER).is_dir():
            return folder / FOLDER, folder != here
    return here / FOLDER, False


def _upwards(here: Path) -> list[Path]:
    above = [here, *here.parents]
    for depth, folder in enumerate(above):
        if any((folder / mark).exists() for mark in _VCS):
            return above[: depth + 1]
    return [here]


def names(folder: Path) -> list[str]:
    """The true names of the checkpoints in *folder*, sorted; none where there is no folder."""
    if not folder.is_dir():
        return []
    return sorted(_name_of(place) for place in folder.iterdir() if _is_place(place))


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
