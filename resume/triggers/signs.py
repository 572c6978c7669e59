"""Whether there may be a deadline: a look at the environment, for every start waits for it."""

from __future__ import annotations

import os
from typing import Any

VARIABLE = "RESUME_DEADLINE"
SIGNS = (
    "SLURM_JOB_END_TIME",
    "SLURM_JOB_ID",
    "PBS_WALLTIME",
    "PBS_JOBID",
    "LSB_JOBID",
    "FLUX_JOB_ID",
    "_CONDOR_JOB_AD",
    "_CONDOR_MACHINE_AD",
)
"""Schedulers set one of these variables at least."""


def signs() -> tuple[tuple[str, str], ...]:
    """Those that are set, with what they say."""
    named = ((name, os.environ.get(name, "").strip()) for name in (VARIABLE, *SIGNS))
    return tuple((name, value) for name, value in named if value)


def may_have_deadline(given: Any) -> bool:
    """Whether *given* may name a deadline; where not, nothing is imported for it."""
    if given is None:
        return False
    return bool(signs()) if given == "auto" else True


def slurm_job() -> str | None:
    """The job as `squeue` and `scontrol` name it; None: this is none of Slurm's.

    The last task of an array bears the number of the whole array, and so is named by its place.
    """
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{task}" if array and task else os.environ.get("SLURM_JOB_ID")
