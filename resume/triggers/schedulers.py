"""How long a job may still run, from what its scheduler tells.

Each scheduler is asked by what it documents:

- Slurm: `SLURM_JOB_END_TIME` holds the job's end in Unix seconds. Where it is missing, or past (the
  limit of a running job can be raised), `squeue -o %L` tells the time left and `scontrol show job`
  the limit and the time used, as `[days-]hours:minutes:seconds`, `UNLIMITED` or `NOT_SET`
  (prolog_epilog guide, squeue(1), scontrol(1)). An array's last task bears the number of the whole
  array, so tasks are named `JOB_TASK`.
- PBS and Torque: `PBS_WALLTIME` is what was granted, in seconds (Torque), and `qstat -f` tells
  `Walltime.Remaining` in seconds (Torque), `Resource_List.walltime`, and the start as `stime`
  (PBS, OpenPBS) or `start_time` (Torque) (qstat(1B), pbs_job_attributes(7B)). Where qstat does not
  answer, the job began when the outermost process that bears its `PBS_JOBID` did.
- LSF: `bjobs -o time_left` tells `hours:minutes` and a letter: L for a limit, E and X for an
  estimate, at which nothing ends; then `runtimelimit` (minutes) and `run_time` (seconds) tell the
  limit, if there is one (bjobs -o, bjobs -WL; `-` means none).
- Flux: `flux job timeleft` tells whole seconds; UINT_MAX and more mean that there is no limit
  (flux-job(1)).
- HTCondor: the file that `_CONDOR_JOB_AD` names holds `AllowedJobDuration`, counted from when the
  job's shadow began (`ShadowBday`), and `AllowedExecuteDuration`, counted from
  `JobCurrentStartExecutingDate` (job ClassAd attributes); the file of `_CONDOR_MACHINE_AD` holds
  the end of a pilot job, `GLIDEIN_ToDie`, in Unix seconds (glideinWMS).
"""

from __future__ import annotations

import logging
import math
import os
import re
import time
from collections.abc import Callable, Mapping
from subprocess import DEVNULL, TimeoutExpired, run

from resume import notices
from resume.triggers.clocks import outermost_with, process_began, since_boot, wall_clock
from resume.triggers.deadline import Deadline
from resume.triggers.signs import slurm_job

_PATIENCE_S = 5.0
"""For one command: a controller that is overloaded may take minutes, and the program waits."""
_NO_LIMIT_S = 4294967295
"""Flux: UINT_MAX."""
_MOST_DIGITS = 12
"""Of whole seconds: 30,000 years."""
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

Environment = Mapping[str, str]


class SilentError(Exception):
    """A scheduler does not tell; the text says why."""


def ask_schedulers(environment: Environment) -> Deadline | None:
    """The earliest end that the schedulers tell whose variables are in *environment*.

    Raises nothing: of a scheduler that does not answer, or whose answer cannot be read, one line
    tells. One that says that there is no limit is silent.
    """
    found = [
        deadline
        for name, signs, ask in _SCHEDULERS
        if any(sign in environment for sign in signs)
        and (deadline := _answer(name, ask, environment)) is not None
    ]
    return min(found, key=Deadline.left_s, default=None)


def _answer(
    name: str, ask: Callable[[Environment], Deadline | None], environment: Environment
) -> Deadline | None:
    try:
        return ask(environment)
    except (SilentError, OSError, ValueError, OverflowError) as why:
        notices.say(
            "⚠ no deadline from %s: %s. RESUME_DEADLINE=23h30m would tell how long it may run",
            name, why, level=logging.WARNING,
        )  # fmt: skip
        return None


def command_output(*words: str) -> str:
    """What a scheduler's command prints.

    Raises:
        SilentError: It is not there, failed, or did not answer in time.
    """
    shown = " ".join(words[:2])
    plain = {"LC_ALL": "C", "LSB_HMS_TIME_FORMAT": "n"}
    try:
        done = run(  # noqa: S603 - the words are ours, and a job's number
            words,
            stdin=DEVNULL,
            capture_output=True,
            timeout=_PATIENCE_S,
            check=False,
            encoding="utf-8",
            errors="replace",
            env={**os.environ, **plain},
        )
    except TimeoutExpired:
        raise SilentError(f"`{shown}` did not answer within {_PATIENCE_S:g} s") from None
    except OSError as why:
        raise SilentError(f"`{shown}` cannot be run: {why.strerror or why}") from why
    if done.returncode != 0:
        told = (done.stderr or done.stdout).strip().partition("\n")[0]
        raise SilentError(f"`{shown}` failed: {told or f'exit status {done.returncode}'}")
    return done.stdout.strip()


def _left(seconds: float, why: str) -> Deadline:
    return Deadline(since_boot() + seconds, since_boot, why)


def _is_number(text: str) -> bool:
    return text.isdecimal() and len(text) <= _MOST_DIGITS


_CLOCK = re.compile(r"(?:(\d{1,9})-)?(?:(\d{1,9}):)?(\d{1,9}):(\d{1,9})")


def _clock_seconds(text: str, who: str) -> float:
    """Seconds of `[[days-]hours:]minutes:seconds`."""
    match = _CLOCK.fullmatch(text)
    if match is None:
        raise SilentError(f"{who} says {text!r}, which is no time")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


# --- Slurm -------------------------------------------------------------------------------------

_SLURM_END = "SLURM_JOB_END_TIME"


def _slurm(environment: Environment) -> Deadline | None:
    told = environment.get(_SLURM_END)
    if told is None:
        return _ask_slurm(environment["SLURM_JOB_ID"])
    end = Deadline(_unix_time(told), wall_clock, _SLURM_END)
    if end.left_s() > 0 or "SLURM_JOB_ID" not in environment:
        return end
    try:
        return _ask_slurm(environment["SLURM_JOB_ID"])
    except SilentError:
        return end


def _unix_time(text: str) -> float:
    if not _is_number(text) or int(text) == 0:
        raise SilentError(f"{_SLURM_END}={text!r} is no Unix time")
    return float(text)


def _ask_slurm(job: str) -> Deadline | None:
    job = slurm_job() or job
    try:
        return _squeue(job)
    except SilentError as first:
        try:
            return _scontrol(job)
        except SilentError as second:
            raise SilentError(f"{first}; {second}") from None


def _squeue(job: str) -> Deadline | None:
    text = command_output("squeue", "-h", "-j", job, "-o", "%L")
    if text == "UNLIMITED":
        return None
    return _left(_clock_seconds(text, "`squeue`"), "squeue")


def _scontrol(job: str) -> Deadline | None:
    text = command_output("scontrol", "show", "job", "-o", job)
    told = dict(word.split("=", 1) for word in text.split() if "=" in word)
    limit, used = told.get("TimeLimit", ""), told.get("RunTime", "")
    if limit == "UNLIMITED":
        return None
    who = "`scontrol`"
    return _left(_clock_seconds(limit, who) - _clock_seconds(used, who), "scontrol")


# --- PBS and Torque ----------------------------------------------------------------------------


def _pbs(environment: Environment) -> Deadline | None:
    job, granted = environment.get("PBS_JOBID"), environment.get("PBS_WALLTIME")
    granted_s = None if granted is None else _pbs_seconds(granted, "PBS_WALLTIME")
    if job is None:
        assert granted_s is not None
        return Deadline(process_began() + granted_s, since_boot, "PBS_WALLTIME")
    try:
        return _qstat(job, granted_s)
    except SilentError:
        if granted_s is None:
            raise
        return Deadline(outermost_with(f"PBS_JOBID={job}") + granted_s, since_boot, "PBS_WALLTIME")


def _pbs_seconds(text: str, who: str) -> float:
    return float(text) if _is_number(text) else _clock_seconds(text, who)


def _qstat(job: str, granted_s: float | None) -> Deadline:
    lines = command_output("qstat", "-f", job).splitlines()
    own = (line for line in lines if not line.startswith("\t"))  # the rest of a long value
    pairs = (line.split("=", 1) for line in own if "=" in line)
    told = {name.strip().lower(): value.strip() for name, value in pairs}
    if "walltime.remaining" in told:
        return _left(_pbs_seconds(told["walltime.remaining"], "`qstat`"), "qstat")
    if "resource_list.walltime" in told:
        granted_s = _pbs_seconds(told["resource_list.walltime"], "`qstat`")
    if granted_s is None:
        raise SilentError(f"`qstat -f {job}` names no walltime")
    began = told.get("stime") or told.get("start_time")
    if began:
        return Deadline(_pbs_time(began) + granted_s, wall_clock, "qstat")
    if "resources_used.walltime" in told:
        used_s = _pbs_seconds(told["resources_used.walltime"], "`qstat`")
        return _left(granted_s - used_s, "qstat")
    raise SilentError(f"`qstat -f {job}` does not tell when the job began")


_TIME = re.compile(r"\w{3} (\w{3}) +(\d+) (\d+):(\d+):(\d+) (\d{4})")


def _pbs_time(text: str) -> float:
    """Unix seconds of `Tue Feb 19 12:47:56 2019`; `strptime` would want the user's language."""
    if _is_number(text):
        return float(text)
    match = _TIME.fullmatch(text)
    if match is None or match[1] not in _MONTHS:
        raise SilentError(f"`qstat` says {text!r}, which is no time")
    day, hour, minute, second, year = map(int, match.groups()[1:])
    month = _MONTHS.index(match[1]) + 1
    return time.mktime((year, month, day, hour, minute, second, 0, 0, -1))


# --- LSF ---------------------------------------------------------------------------------------

_LSF_LEFT = re.compile(r"(\d+):(\d+)(?::(\d+))?\s*([LEX]?)")
_LSF_LIMIT = re.compile(r"(\d+(?:\.\d+)?)(?:/\S+)?")
_LSF_USED = re.compile(r"(\d+)\s*second\(s\)")


def _lsf(environment: Environment) -> Deadline | None:
    job, index = environment["LSB_JOBID"], os.environ.get("LSB_JOBINDEX", "0")
    job = job if index in ("", "0") else f"{job}[{index}]"
    fields = "time_left runtimelimit run_time delimiter=';'"
    text = command_output("bjobs", "-noheader", "-o", fields, job)
    left, limit, used, *_ = (part.strip() for part in (*text.split(";"), "", "", ""))
    if left == "-" and limit in ("-", ""):
        return None
    match = _LSF_LEFT.fullmatch(left)
    if match is not None and match[4] in ("", "L"):
        hours, minutes, seconds = (int(part or 0) for part in match.groups()[:3])
        return _left((hours * 60 + minutes) * 60 + seconds, "bjobs")
    if match is not None and limit in ("-", ""):
        return None  # what is left is an estimate, and nothing ends the job when it is up
    limit_min, used_s = _LSF_LIMIT.fullmatch(limit), _LSF_USED.fullmatch(used)
    if limit_min is None or used_s is None:
        raise SilentError(f"`bjobs` says {text!r}, which is no time")
    return _left(float(limit_min[1]) * 60 - int(used_s[1]), "bjobs")


# --- Flux --------------------------------------------------------------------------------------


def _flux(_environment: Environment) -> Deadline | None:
    text = command_output("flux", "job", "timeleft")
    seconds = float(text)
    if math.isnan(seconds):
        raise SilentError(f"`flux job timeleft` says {text!r}")
    return None if seconds >= _NO_LIMIT_S else _left(seconds, "flux job timeleft")


# --- HTCondor ----------------------------------------------------------------------------------


def _condor(environment: Environment) -> Deadline | None:
    found = [*_of_job(environment), *_of_machine(environment)]
    return min(found, key=Deadline.left_s, default=None)


def _of_job(environment: Environment) -> list[Deadline]:
    path = environment.get("_CONDOR_JOB_AD")
    if path is None:
        return []
    told = _read_ad(path)
    began = _whole(told, "shadowbday") or _whole(told, "jobcurrentstartdate")
    if began is None:
        began = int(os.stat(path).st_mtime)  # noqa: PTH116 - written when the job was set up
    # The time of an earlier start stays in the ad until the job executes again.
    executes = max(began, _whole(told, "jobcurrentstartexecutingdate") or 0)
    ends = (
        ("AllowedJobDuration", began, _whole(told, "allowedjobduration")),
        ("AllowedExecuteDuration", executes, _whole(told, "allowedexecuteduration")),
    )
    return [Deadline(start + s, wall_clock, why) for why, start, s in ends if s is not None]


def _of_machine(environment: Environment) -> list[Deadline]:
    path = environment.get("_CONDOR_MACHINE_AD")
    end = None if path is None else _whole(_read_ad(path), "glidein_todie")
    return [] if end is None else [Deadline(end, wall_clock, "GLIDEIN_ToDie")]


def _read_ad(path: str) -> dict[str, str]:
    with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - as it is named
        pairs = (line.split("=", 1) for line in file if "=" in line)
        return {name.strip().lower(): value.strip() for name, value in pairs}


def _whole(told: Mapping[str, str], name: str) -> int | None:
    text = told.get(name, "undefined")
    if text.lower() == "undefined":
        return None
    if not _is_number(text):
        raise SilentError(f"{name} of its ad is {text!r}, and not a number")
    return int(text)


_SCHEDULERS: tuple[tuple[str, tuple[str, ...], Callable[[Environment], Deadline | None]], ...] = (
    ("Slurm", ("SLURM_JOB_END_TIME", "SLURM_JOB_ID"), _slurm),
    ("PBS", ("PBS_WALLTIME", "PBS_JOBID"), _pbs),
    ("LSF", ("LSB_JOBID",), _lsf),
    ("Flux", ("FLUX_JOB_ID",), _flux),
    ("HTCondor", ("_CONDOR_JOB_AD", "_CONDOR_MACHINE_AD"), _condor),
)
