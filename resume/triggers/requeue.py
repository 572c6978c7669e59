"""Puts this job into Slurm's queue again."""

from __future__ import annotations

import logging

from resume import notices
from resume.triggers.schedulers import SilentError, command_output


def requeue_slurm_job(job: str) -> None:
    """Run `scontrol requeue` for *job*, this one, and say what came of it.

    Slurm ends the job for it, so the state has to be durable before. It refuses jobs that were not
    submitted by sbatch, and those of `--no-requeue` (scontrol(1)).
    """
    if not job:
        _warn("SLURM_JOB_ID is not set")
        return
    try:
        command_output("scontrol", "requeue", job)
    except SilentError as why:
        _warn(str(why))
        return
    notices.say("↻ job %s is in Slurm's queue again (scontrol requeue)", job)


def _warn(why: str) -> None:
    notices.say(
        "⚠ the job is not put into the queue again: %s. The state is saved: submit it yourself",
        why, level=logging.WARNING,
    )  # fmt: skip
