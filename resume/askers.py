"""Who may ask a run for a save from outside its process: a file, and the cloud that it runs on."""

from __future__ import annotations

import math
import os
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path

from resume.asking import Asking
from resume.errors import Preempted
from resume.item import current
from resume.store import names_in_use
from resume.triggers.asked import Asked, Leave
from resume.triggers.request_file import RequestFile


def let_file_ask(
    asking: Asking, title: str, place: Callable[[], Path | None], folder: str | Path
) -> None:
    """Look for a file `CHKPT` from now on, until *asking* is closed.

    Args:
        asking: Of the run that is asked.
        title: The checkpoint, as people know it.
        place: Returns its own folder; None: it is not known yet.
        folder: The folder of checkpoints.
    """

    def own() -> str | None:
        found = place()
        return None if found is None else str(found)

    asking.add(RequestFile(title, own, working_folder(), lambda: names_in_use(Path(folder))))
    item = current()
    if item is not None:
        item.saves_itself = True
        if item.leave_file:
            asking.add(LaunchLeaves(item.leave_file))


class LaunchLeaves:
    """Asks an item of a sweep to be saved and left when the launch is to leave; a `Source`.

    Args:
        path: A file that is there then.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._has_asked = False

    def look(self, now: float) -> Asked | None:  # noqa: ARG002
        """Ask, once, when the file is there."""
        if self._has_asked or not os.path.exists(self._path):  # noqa: PTH110 - nothing is raised
            return None
        self._has_asked = True
        return Asked("preempt", "the sweep leaves", Leave())

    def next_look_at(self, now: float) -> float:  # noqa: ARG002
        """A second later."""
        return math.inf

    def close(self) -> None:
        """Nothing is held."""


def let_cloud_ask(asking: Asking, cloud: str, exit_code: int | None = None) -> None:
    """Watch what *cloud* announces from now on, until *asking* is closed or nobody holds it.

    Args:
        asking: Of the run that is asked; the watch does not keep it alive.
        cloud: `aws`, `gcp` or `azure`.
        exit_code: Status of the program when it is left; 143 by default.
    """
    from resume.triggers.watching import CloudWatch  # noqa: PLC0415 - few programs watch

    get = weakref.ref(asking)

    def ask(asked: Asked) -> None:
        found = get()
        if found is not None:
            found.ask(asked)

    leave = Leave() if exit_code is None else Leave(partial(Preempted, exit_code))
    watch = CloudWatch(cloud, ask, leave)
    weakref.finalize(asking, watch.close).atexit = False
    asking.add(watch)


def prepare_watch() -> None:
    """Import all that a watch needs: files of the program may bear the names of libraries."""
    from resume.triggers.metadata import mail_dates  # noqa: PLC0415
    from resume.triggers.watching import http_client  # noqa: PLC0415

    http_client()
    mail_dates()


def working_folder() -> str:
    """That of the process; empty where somebody has removed it."""
    try:
        return os.getcwd()  # noqa: PTH109 - as text
    except FileNotFoundError:
        return ""
