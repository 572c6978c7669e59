"""Lets a run leave in time, where it has a deadline."""

from __future__ import annotations

import os
from _thread import get_ident
from functools import partial
from typing import TYPE_CHECKING

from resume.asking import Asking
from resume.errors import ConfigError, Preempted
from resume.triggers.signs import may_have_deadline, slurm_job
from resume.units import DeadlineGiven, Duration, parse_seconds

if TYPE_CHECKING:
    from resume.triggers.asked import Leave

_BEFORE_END = "5m"


def leave_in_time(
    asking: Asking,
    deadline: DeadlineGiven,
    before_end: Duration | None = None,
    requeue: str | None = None,
    *,
    exit_code: int | None = None,
) -> None:
    """Ask for the last save in time, from now on; how much time is left is said once a process.

    Where no deadline is given, and the environment names none, this is a look at the environment.
    A run in another thread than the main one is saved, and goes on: only that one can leave.

    Args:
        asking: What the run is asked for.
        deadline: As it was given.
        before_end: Leave so long ahead; None: as the environment says, else 5 minutes.
        requeue: `"slurm"`: ask Slurm to start the job again; None: as the environment says.
        exit_code: Status by which the program is left; None: that of `Preempted`.

    Raises:
        ConfigError: The deadline is no time, or what the environment says of the rest is wrong.
    """
    if not may_have_deadline(deadline):
        return
    from resume.triggers.departure import departure  # noqa: PLC0415 - not for a run without one

    source = departure(
        deadline,
        _before_end_s(before_end),
        gaps=asking.gaps,
        saves=asking.saves,
        leave=_leave(exit_code),
        # now, for the program may change its environment
        requeue=(slurm_job() or "") if _requeues(requeue) else None,
    )
    if source is not None:
        asking.add(source)


def _leave(exit_code: int | None) -> Leave | None:
    from threading import main_thread  # noqa: PLC0415 - a script may do without

    if get_ident() != main_thread().ident:
        return None  # it would end one thread, and the program would take its work for done
    from resume.triggers.asked import Leave  # noqa: PLC0415 - not for a run without a deadline

    return Leave() if exit_code is None else Leave(partial(Preempted, exit_code))


def _before_end_s(given: Duration | None) -> float:
    if given is not None:
        return parse_seconds(given, "before_end")
    return parse_seconds(os.environ.get("RESUME_BEFORE_END") or _BEFORE_END, "RESUME_BEFORE_END")


def _requeues(given: str | None) -> bool:
    said = given or os.environ.get("RESUME_REQUEUE") or None
    if said not in (None, "slurm"):
        raise ConfigError(f"RESUME_REQUEUE={said!r} is unknown: it can be 'slurm', or unset")
    return said is not None


def prepare_to_leave() -> None:
    """Import all that leaving needs: files of the program may bear the names of libraries."""
    import resume.triggers.asked  # noqa: PLC0415
    import resume.triggers.departure  # noqa: PLC0415
    import resume.triggers.requeue  # noqa: F401, PLC0415
