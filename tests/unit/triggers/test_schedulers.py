"""What each scheduler tells of the time left, from commands that are really run."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from schedulers import Commands

from resume.triggers.requeue import requeue_slurm_job
from resume.triggers.schedulers import ask_schedulers
from resume.triggers.signs import slurm_job

CLOSE = 60
"""Seconds by which a loaded machine may be late."""


@pytest.fixture
def commands(tmp_path, monkeypatch):
    made = Commands(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{made.folder}:/usr/bin:/bin")
    return made


def left_s(**environment):
    deadline = ask_schedulers(environment)
    assert deadline is not None
    return deadline.left_s(), deadline.why


def assert_left(expected_s, expected_why, **environment):
    found_s, why = left_s(**environment)
    assert why == expected_why
    assert expected_s - CLOSE < found_s <= expected_s


def assert_refused(caplog, text, **environment):
    with caplog.at_level("INFO", "resume"):
        assert ask_schedulers(environment) is None
    [line] = caplog.messages
    assert line.startswith("⚠ no deadline from ")
    assert text in line


# --- Slurm -------------------------------------------------------------------------------------


def test_the_end_of_a_slurm_job(commands):
    """The variable is enough: nothing is run for it."""
    commands.prints("squeue", "1:00")

    assert_left(7200, "SLURM_JOB_END_TIME", SLURM_JOB_END_TIME=str(int(time.time()) + 7200))
    assert commands.calls("squeue") == []


@pytest.mark.parametrize("text", ["soon", "", "-5", "0", "1e9", "9" * 5000])
def test_an_end_that_is_no_time(text, caplog):
    assert_refused(caplog, "is no Unix time", SLURM_JOB_END_TIME=text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2-03:04:05", 183845), ("23:59:01", 86341), ("59:01", 3541), ("0:00", 0)],
)
def test_squeue_where_the_variable_is_missing(commands, text, seconds):
    commands.prints("squeue", text, words="-h -j 123 -o %L")

    assert_left(seconds, "squeue", SLURM_JOB_ID="123")


def test_a_task_of_an_array_is_asked_for_by_its_own_name(commands, monkeypatch):
    """The last task bears the number of the array, for which squeue would list all tasks."""
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "120")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "7")
    commands.prints("squeue", "1:00:00", words="-h -j 120_7 -o %L")

    assert_left(3600, "squeue", SLURM_JOB_ID="120")


def test_no_limit_is_no_deadline_and_no_line(commands, caplog):
    commands.prints("squeue", "UNLIMITED")

    assert ask_schedulers({"SLURM_JOB_ID": "123"}) is None
    assert caplog.messages == []


@pytest.mark.parametrize("squeue", ["INVALID", "NOT_SET", "", "1:00\n2:00"])
def test_scontrol_where_squeue_does_not_tell(commands, squeue):
    commands.prints("squeue", squeue)
    commands.prints(
        "scontrol",
        "JobId=123 JobName=a=b UserId=u(1) RunTime=01:00:00 TimeLimit=1-00:00:00 Comment=x y",
        words="show job -o 123",
    )

    assert_left(23 * 3600, "scontrol", SLURM_JOB_ID="123")


def test_a_job_beyond_its_limit_by_scontrol(commands):
    commands.fails("squeue", "")
    commands.prints("scontrol", "RunTime=01:00:00 TimeLimit=00:30:00")

    assert_left(-1800, "scontrol", SLURM_JOB_ID="123")


def test_no_limit_by_scontrol(commands, caplog):
    commands.fails("squeue", "")
    commands.prints("scontrol", "RunTime=01:00:00 TimeLimit=UNLIMITED")

    assert ask_schedulers({"SLURM_JOB_ID": "123"}) is None
    assert caplog.messages == []


def test_slurm_that_does_not_tell(commands, caplog):
    commands.fails("squeue", "slurm_load_jobs error: Invalid job id specified\nmore")
    commands.prints("scontrol", "JobId=123")

    assert_refused(
        caplog,
        "Slurm: `squeue -h` failed: slurm_load_jobs error: Invalid job id specified; "
        "`scontrol` says '', which is no time. RESUME_DEADLINE=23h30m would tell",
        SLURM_JOB_ID="123",
    )


def test_slurm_without_its_commands(commands, caplog):
    assert_refused(
        caplog, "`squeue -h` cannot be run: No such file or directory", SLURM_JOB_ID="123"
    )


def test_a_command_that_says_nothing_of_its_failure(commands, caplog):
    commands.fails("squeue", "", status=3)

    assert_refused(caplog, "`squeue -h` failed: exit status 3", SLURM_JOB_ID="123")


def test_a_command_that_does_not_answer_is_left(commands, caplog, monkeypatch):
    """The controller of a busy cluster may take minutes: the program does not wait for it."""
    monkeypatch.setattr("resume.triggers.schedulers._PATIENCE_S", 0.2)
    commands.does("squeue", "exec sleep 600")

    assert_refused(caplog, "`squeue -h` did not answer within 0.2 s", SLURM_JOB_ID="123")


def test_an_end_that_is_past_is_asked_for_again(commands):
    """The limit of a running job can be raised, and its environment does not know of it."""
    commands.prints("squeue", "1:00:00")

    assert_left(3600, "squeue", SLURM_JOB_END_TIME=str(int(time.time()) - 5), SLURM_JOB_ID="123")


def test_an_end_that_is_past_stands_where_nobody_tells_of_another(commands):
    past = str(int(time.time()) - 500)

    assert_left(-500, "SLURM_JOB_END_TIME", SLURM_JOB_END_TIME=past, SLURM_JOB_ID="123")
    assert_left(-500, "SLURM_JOB_END_TIME", SLURM_JOB_END_TIME=past)


# --- PBS and Torque ----------------------------------------------------------------------------

TORQUE = """Job Id: 12.head
    Job_Name = fit
    resources_used.walltime = 00:10:00
    Resource_List.walltime = 02:30:00
    start_time = Tue Feb 19 12:47:56 2019
    Walltime.Remaining = 8598
    Variable_List = PBS_O_HOME=/home/a,
\tPBS_O_LANG=C,WALLTIME=1,
\tWalltime.Remaining=1
"""


def test_torque_tells_the_seconds_left(commands):
    commands.prints("qstat", TORQUE, words="-f 12.head")

    assert_left(8598, "qstat", PBS_JOBID="12.head")


@pytest.mark.parametrize("attribute", ["stime", "start_time"])
@pytest.mark.parametrize("is_number", [True, False])
def test_pbs_tells_the_limit_and_the_start(commands, attribute, is_number):
    """The start is local time, and the months English whatever the language is."""
    began = time.time() - 600
    shown = str(int(began)) if is_number else time.asctime(time.localtime(began))
    commands.prints(
        "qstat", f"Job Id: 12\n    Resource_List.walltime = 01:00:00\n    {attribute} = {shown}"
    )

    assert_left(3000, "qstat", PBS_JOBID="12")


def test_pbs_that_tells_only_the_time_used(commands):
    commands.prints(
        "qstat", "    Resource_List.walltime = 01:00:00\n    resources_used.walltime = 00:20:00"
    )

    assert_left(2400, "qstat", PBS_JOBID="12")


def test_what_was_granted_from_the_environment_and_the_start_from_qstat(commands):
    began = time.asctime(time.localtime(time.time() - 600))
    commands.prints("qstat", f"    stime = {began}")

    assert_left(3000, "qstat", PBS_JOBID="12", PBS_WALLTIME="3600")


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ("", "names no walltime"),
        ("Resource_List.walltime = 01:00:00", "does not tell when the job began"),
        ("Resource_List.walltime = 01:00:00\nstime = Tue Fev 19 12:47:56 2019", "is no time"),
        ("Resource_List.walltime = 01:00:00\nstime = long ago", "'long ago', which is no time"),
        ("Resource_List.walltime = 01:00:00\nstime = Tue Feb 19 12:47:56 99999", "is no time"),
        ("Walltime.Remaining = much", "'much', which is no time"),
    ],
)
def test_pbs_that_does_not_tell(commands, caplog, told, why):
    commands.prints("qstat", told)

    assert_refused(caplog, why, PBS_JOBID="12")


def test_a_walltime_that_is_no_time(caplog):
    assert_refused(caplog, "PBS_WALLTIME says 'all day'", PBS_WALLTIME="all day")


SHELL = """
import sys, time
from resume.triggers.schedulers import ask_schedulers
from resume.triggers.signs import slurm_job
deadline = ask_schedulers({name: sys.argv[2] for name in sys.argv[1:2]} | {"PBS_WALLTIME": "3600"})
print(deadline.left_s(), deadline.why)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc tells when the shell began")
def test_without_qstat_the_job_began_with_its_shell(commands):
    """The program began later than the job: the outermost process of the job tells by how much."""
    wait = f"{sys.executable} -c '{SHELL}' PBS_JOBID 12.head; true"
    script = f"sleep 1; {wait}"
    environment = {"PATH": f"{commands.folder}:/usr/bin:/bin", "PBS_JOBID": "12.head"}

    done = subprocess.run(
        ["/bin/sh", "-c", script],
        env={**environment, "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )

    left, why = done.stdout.split()
    assert why == "PBS_WALLTIME"
    assert 3600 - CLOSE < float(left) <= 3599.1


def test_without_a_job_number_the_job_began_with_the_process():
    found_s, why = left_s(PBS_WALLTIME="999999")
    assert why == "PBS_WALLTIME"
    assert 0 < found_s < 999999


# --- LSF ---------------------------------------------------------------------------------------

FIELDS = "-noheader -o time_left runtimelimit run_time delimiter=';'"


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("0:12 L;30.0/hostA;1080 second(s)", 720),
        ("25:01 L;-;-", 90060),
        ("0:12", 720),
        ("00:12:30 L;-;-", 750),
        # at the end of an estimate nothing ends: it is the limit that counts
        ("0:12 E;60.0/hostA;600 second(s)", 3000),
        ("0:00 X;60.0;3000 second(s)", 600),
    ],
)
def test_lsf_tells_what_is_left(commands, told, seconds):
    commands.prints("bjobs", told, words=f"{FIELDS} 77")

    assert_left(seconds, "bjobs", LSB_JOBID="77")


def test_an_element_of_an_lsf_array(commands, monkeypatch):
    monkeypatch.setenv("LSB_JOBINDEX", "3")
    commands.prints("bjobs", "0:12 L;-;-", words=f"{FIELDS} 77[3]")

    assert_left(720, "bjobs", LSB_JOBID="77")


@pytest.mark.parametrize("told", ["-;-;600 second(s)", "0:12 E;-;600 second(s)", "-"])
def test_lsf_without_a_limit(commands, caplog, told):
    commands.prints("bjobs", told)

    assert ask_schedulers({"LSB_JOBID": "77"}) is None
    assert caplog.messages == []


@pytest.mark.parametrize("told", ["", "a;b;c", "0:12 E;60.0/hostA;-", "-;x;-"])
def test_lsf_that_does_not_tell(commands, caplog, told):
    commands.prints("bjobs", told)

    assert_refused(caplog, f"`bjobs` says {told!r}, which is no time", LSB_JOBID="77")


# --- Flux --------------------------------------------------------------------------------------


def test_flux_tells_the_seconds_left(commands):
    commands.prints("flux", "3599", words="job timeleft")

    assert_left(3599, "flux job timeleft", FLUX_JOB_ID="f23")


@pytest.mark.parametrize("told", ["4294967295", "18446744073709551615", "inf"])
def test_flux_without_a_limit(commands, caplog, told):
    commands.prints("flux", told)

    assert ask_schedulers({"FLUX_JOB_ID": "f23"}) is None
    assert caplog.messages == []


@pytest.mark.parametrize("told", ["", "soon", "nan"])
def test_flux_that_does_not_tell(commands, caplog, told):
    commands.prints("flux", told)

    assert_refused(caplog, "no deadline from Flux: ", FLUX_JOB_ID="f23")


# --- HTCondor ----------------------------------------------------------------------------------


def ad(tmp_path, **attributes):
    path = tmp_path / f"ad{len(list(tmp_path.iterdir()))}"
    lines = [f"{name} = {value}" for name, value in attributes.items()]
    path.write_text("\n".join(["Requirements = (A == 1)", "[", *lines]), encoding="utf-8")
    return str(path)


NOW = int(time.time())


@pytest.mark.parametrize(
    ("attributes", "seconds", "why"),
    [
        ({"AllowedJobDuration": 3600, "ShadowBday": NOW - 600}, 3000, "AllowedJobDuration"),
        ({"allowedjobduration": 3600, "JobCurrentStartDate": NOW - 60}, 3540, "AllowedJobDuration"),
        (
            {
                "AllowedExecuteDuration": 3600,
                "ShadowBday": NOW - 600,
                "JobCurrentStartExecutingDate": NOW - 100,
            },
            3500,
            "AllowedExecuteDuration",
        ),
        # the time of an earlier start stays in the ad
        (
            {
                "AllowedExecuteDuration": 3600,
                "ShadowBday": NOW - 600,
                "JobCurrentStartExecutingDate": NOW - 90000,
            },
            3000,
            "AllowedExecuteDuration",
        ),
        (
            {
                "AllowedExecuteDuration": 900,
                "AllowedJobDuration": 1000,
                "ShadowBday": NOW - 600,
                "JobCurrentStartExecutingDate": NOW - 100,
            },
            400,
            "AllowedJobDuration",
        ),
    ],
)
def test_the_durations_that_condor_allows(tmp_path, attributes, seconds, why):
    late = NOW - int(time.time())

    assert_left(seconds + late, why, _CONDOR_JOB_AD=ad(tmp_path, **attributes))


def test_a_condor_job_that_does_not_tell_its_start(tmp_path):
    """Then it began when its ad was written."""
    assert_left(3600, "AllowedJobDuration", _CONDOR_JOB_AD=ad(tmp_path, AllowedJobDuration=3600))


def test_the_end_of_a_pilot(tmp_path):
    job = ad(tmp_path, AllowedJobDuration=9000, ShadowBday=NOW)
    machine = ad(tmp_path, GLIDEIN_ToDie=NOW + 5000)

    assert_left(
        NOW + 5000 - int(time.time()),
        "GLIDEIN_ToDie",
        _CONDOR_JOB_AD=job,
        _CONDOR_MACHINE_AD=machine,
    )


def test_condor_without_a_limit(tmp_path, caplog):
    path = ad(tmp_path, AllowedJobDuration="undefined", Cmd='"a"')

    assert ask_schedulers({"_CONDOR_JOB_AD": path, "_CONDOR_MACHINE_AD": path}) is None
    assert caplog.messages == []


def test_condor_that_does_not_tell(tmp_path, caplog):
    assert_refused(
        caplog,
        "allowedjobduration of its ad is 'ifThenElse(A, 1, 2)', and not a number",
        _CONDOR_JOB_AD=ad(tmp_path, AllowedJobDuration="ifThenElse(A, 1, 2)"),
    )
    caplog.clear()
    assert_refused(caplog, "No such file or directory", _CONDOR_JOB_AD=str(tmp_path / "gone"))


# --- several, and the queue --------------------------------------------------------------------


def test_of_several_the_earliest_counts(commands):
    """A Flux instance inside a job of Slurm ends with whichever ends first."""
    commands.prints("flux", "100000")
    end = str(int(time.time()) + 5000)

    assert_left(5000, "SLURM_JOB_END_TIME", SLURM_JOB_END_TIME=end, FLUX_JOB_ID="f23")


@pytest.fixture
def said(caplog):
    caplog.set_level("INFO", "resume")
    return caplog


def test_a_job_is_put_into_the_queue_again(commands, said):
    commands.prints("scontrol", "", words="requeue 123")

    requeue_slurm_job("123")

    assert commands.calls("scontrol") == ["requeue 123"]
    assert said.messages == ["↻ job 123 is in Slurm's queue again (scontrol requeue)"]


def test_a_task_is_named_without_its_array(monkeypatch):
    """Else all tasks of the array would be started again."""
    assert slurm_job() is None
    monkeypatch.setenv("SLURM_JOB_ID", "120")
    assert slurm_job() == "120"
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "120")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "7")
    assert slurm_job() == "120_7"


def test_a_refused_requeue_is_said(commands, said):
    commands.fails("scontrol", "Requested operation is presently disabled for job 123")

    requeue_slurm_job("")
    requeue_slurm_job("123")

    assert said.messages == [
        f"⚠ the job is not put into the queue again: {why}. The state is saved: submit it yourself"
        for why in (
            "SLURM_JOB_ID is not set",
            "`scontrol requeue` failed: Requested operation is presently disabled for job 123",
        )
    ]
