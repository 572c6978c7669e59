"""Lets a run leave in time, where it has a deadline."""

from __future__ import annotations

from resume.asking import Asking
from resume.triggers.signs import may_have_deadline
from resume.units import DeadlineGiven


def leave_in_time(
    asking: Asking, deadline: DeadlineGiven, before_end_s: float, requeue: str | None
) -> None:
    """Ask for the last save in time, from now on; how much time is left is said once a process.

    Where no deadline is given, and the environment names none, this is a look at the environment.

    Args:
        asking: What the run is asked for.
        deadline: As it was given.
        before_end_s: Leave so many seconds ahead.
        requeue: `"slurm"`: ask Slurm to start the job again.

    Raises:
        ConfigError: The deadline is no time.
    """
    if not may_have_deadline(deadline):
        return
    from resume.triggers.asked import Leave  # noqa: PLC0415 - dataclasses: `resume run` waits
    from resume.triggers.departure import departure  # noqa: PLC0415 - not for a run without one

    source = departure(
        deadline,
        before_end_s,
        gaps=asking.gaps,
        saves=asking.saves,
        leave=Leave,
        requeue=requeue,
    )
    if source is not None:
        asking.add(source)


def prepare_to_leave() -> None:
    """Import all that leaving needs: files of the program may bear the names of libraries."""
    import resume.triggers.asked  # noqa: PLC0415
    import resume.triggers.departure  # noqa: PLC0415
    import resume.triggers.requeue  # noqa: F401, PLC0415
