"""Which folder of checkpoints a program means; told with `os.path`, for each start waits for it."""

from __future__ import annotations

import os

FOLDER = ".checkpoints"
REQUEST_NAME = "CHKPT"
"""A file in a checkpoint's folder, which is none of the store's: somebody asks for a save."""
_VCS = (".git", ".hg", ".svn", ".jj", ".bzr", "_darcs", ".fslckout")


def folder_meant(explicit: str | None, start: str | None = None) -> tuple[str, bool]:
    """The store's folder, absolute, and whether it was found above *start*.

    `folder=` > `RESUME_DIR` > the nearest `.checkpoints` from *start* (default: the working folder)
    up to the root of its version control (without one: *start* alone) > a new one in *start*.
    Nothing is created.
    """
    here = os.getcwd()  # noqa: PTH109
    here = here if start is None else os.path.join(here, start)  # noqa: PTH118
    said = explicit or os.environ.get("RESUME_DIR")
    if said:
        return os.path.join(here, os.path.expanduser(said)), False  # noqa: PTH111, PTH118
    for folder in _upwards(here):
        found = os.path.join(folder, FOLDER)  # noqa: PTH118
        if os.path.isdir(found):  # noqa: PTH112
            return found, folder != here
    return os.path.join(here, FOLDER), False  # noqa: PTH118


def _upwards(here: str) -> list[str]:
    above = [here]
    while (folder := os.path.dirname(above[-1])) != above[-1]:  # noqa: PTH120
        above.append(folder)
    for depth, folder in enumerate(above):
        if any(os.path.exists(os.path.join(folder, mark)) for mark in _VCS):  # noqa: PTH110, PTH118
            return above[: depth + 1]
    return [here]
