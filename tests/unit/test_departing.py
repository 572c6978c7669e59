"""A run leaves by its deadline: `Checkpoint`, `@resumable` and the words of `resume run`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from schedulers import Commands

import resume
from resume import Checkpoint, ConfigError, Preempted, resumable
from resume.departing import prepare_to_leave
from resume.script.command import read_words

PAST = datetime.now() - timedelta(hours=2)  # noqa: DTZ005 - local time, as people write it
MOST = 20_000


@pytest.fixture(autouse=True)
def said(caplog):
    caplog.set_level("INFO", "resume")
    return caplog


def manifests(name):
    found = sorted(Path(".checkpoints").glob(f"{name}/*.manifest.json"))
    return [json.loads(path.read_text(encoding="utf-8")) for path in found]


def count(most=MOST, seen=None, **options):
    chp = Checkpoint("count", rate=1000, **options)
    i = 0
    chp.restore()
    while i < most:
        i += 1
        if seen is not None:
            seen.append(i)
        chp.sync()
    return i


def test_a_run_leaves_by_its_deadline(said):
    """It is saved at a safe point, and a rerun goes on behind it."""
    seen = []

    with pytest.raises(Preempted) as caught:
        count(seen=seen, deadline=PAST)

    assert caught.value.code == 143
    left_at = seen[-1]
    [manifest] = manifests("count")
    assert manifest["trigger"] == "deadline"
    assert "count: saved as generation 1 (deadline: the time is up); run the program" in said.text
    assert count(left_at + 5, seen=seen, deadline=None) == left_at + 5
    assert seen[-5:] == list(range(left_at + 1, left_at + 6))


@pytest.mark.parametrize("code", [0, 85])
def test_the_status_that_the_scheduler_wants(code):
    with pytest.raises(Preempted) as caught:
        count(deadline=PAST, exit_code=code)
    assert caught.value.code == code

    @resumable(deadline=PAST, exit_code=code)
    def work(most):
        for _ in range(most):
            resume.sync()
            time.sleep(0.001)

    with pytest.raises(Preempted) as caught:
        work(MOST)
    assert caught.value.code == code


def test_each_rerun_comes_further():
    """Also where the time is up for all of them: no rerun ends where it began."""
    seen = []
    for _ in range(3):
        before = len(seen)
        with pytest.raises(Preempted):
            count(seen=seen, deadline=PAST)
        assert len(seen) > before

    assert seen == list(range(1, len(seen) + 1))


def test_a_loop_is_left_between_two_items():
    def fit(n):
        chp = Checkpoint("fit", deadline=PAST)
        total = 0
        chp.restore()
        for k in chp.loop(range(n)):
            total += k
        return total

    for _ in range(2):
        with pytest.raises(Preempted):
            fit(MOST)
    [*_, last] = manifests("fit")
    assert last["trigger"] == "deadline"


def test_a_block_is_left():
    def fit():
        i = 0
        with Checkpoint("block", deadline=PAST) as chp:
            while i < MOST:
                i += 1
                chp.sync()

    with pytest.raises(Preempted):
        fit()
    [manifest] = manifests("block")
    assert not manifest["complete"]


def test_an_object_is_left():
    class Fit:
        def __init__(self):
            self.epoch = 0
            self.checkpoint = Checkpoint("object", of=self, deadline=PAST)
            self.checkpoint.restore()

        def run(self):
            while self.epoch < MOST:
                self.epoch += 1
                self.checkpoint.sync()

    fit = Fit()
    with pytest.raises(Preempted):
        fit.run()
    [manifest] = manifests("object")
    assert manifest["trigger"] == "deadline"


def test_several_checkpoints_say_the_line_once(monkeypatch, said):
    monkeypatch.setenv("SLURM_JOB_END_TIME", str(int(time.time()) + 50_000))

    for _ in range(3):
        count(3)
        resumable(lambda_free)(1)

    lines = [line for line in said.messages if line.startswith("⏱")]
    assert len(lines) == 1
    assert "left (SLURM_JOB_END_TIME): will save and leave at 13h4" in lines[0]


def lambda_free(n):
    return n


@pytest.mark.parametrize("said_so", [True, False])
def test_without_a_deadline_nothing_is_said(said_so, monkeypatch, said):
    if said_so:
        monkeypatch.setenv("RESUME_DEADLINE", "none")

    assert count(3) == 3
    assert "wall clock" not in said.text


def test_a_time_far_away_leaves_the_run_alone():
    assert count(50, deadline="5000d") == 50
    assert count(50, deadline=timedelta(days=5000), before_end=60) == 50


@pytest.mark.parametrize("deadline", ["soon", -1, True, object()])
def test_what_is_no_deadline_is_refused_at_once(deadline):
    with pytest.raises(ConfigError, match="^deadline=.* is no deadline"):
        count(deadline=deadline)
    with pytest.raises(ConfigError, match="^deadline=.* is no deadline"):
        resumable(deadline=deadline)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"before_end": "a while"}, "before_end='a while' is no duration"),
        ({"requeue": "pbs"}, "requeue='pbs' is unknown: choose one of None, 'slurm'"),
    ],
)
def test_what_is_no_option_is_refused(options, text):
    with pytest.raises(ConfigError, match=text):
        count(**options)
    with pytest.raises(ConfigError, match=text):
        resumable(**options)


def test_slurm_is_asked_when_all_is_durable(tmp_path, monkeypatch, said):
    commands = Commands(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{commands.folder}:/usr/bin:/bin")
    monkeypatch.setenv("SLURM_JOB_ID", "123")
    manifest = tmp_path / ".checkpoints" / "count" / "00000001.ckpt.manifest.json"
    commands.does("scontrol", f"cp {manifest} {tmp_path}/as-it-was")

    with pytest.raises(Preempted):
        count(deadline=PAST, requeue="slurm")

    assert commands.calls("scontrol") == ["requeue 123"]
    assert (tmp_path / "as-it-was").exists()
    assert "↻ job 123 is in Slurm's queue again" in said.text


def test_another_thread_saves_and_goes_on(tmp_path, monkeypatch, said):
    """An end of one thread would leave nothing: the program would take its work for done."""
    commands = Commands(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{commands.folder}:/usr/bin:/bin")
    found = []

    def work():
        found.append(count(5, deadline=PAST, requeue="slurm"))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert found == [5]
    triggers = [each["trigger"] for each in manifests("count")]
    assert triggers.count("deadline") == 1
    assert "deadline: saved as generation 1; only the main thread can leave the pr" in said.text
    assert commands.calls("scontrol") == []


class Slow:
    """Takes its time when it is saved."""

    def __reduce__(self):
        time.sleep(0.3)
        return Slow, ()


def test_a_slow_save_moves_the_leave_ahead(monkeypatch, said):
    """Half a second is left and `before_end` is none; two saves would take longer than that."""
    monkeypatch.setattr("resume.triggers.deadline.wall_clock", lambda: PAST.timestamp() - 0.5)

    def fit(slow):
        chp = Checkpoint("slow", rate=1000, at_start=True, deadline=PAST, before_end=0)
        i = 0
        chp.restore()
        until = time.monotonic() + 60
        while time.monotonic() < until:
            i += 1
            chp.sync()
        return slow

    with pytest.raises(Preempted):
        fit(Slow())
    assert [each["trigger"] for each in manifests("slow")] == ["start", "deadline"]
    assert "(deadline: 0s left, a save takes up to " in said.text


def test_the_environment_tells_the_rest(tmp_path, monkeypatch, said):
    commands = Commands(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{commands.folder}:/usr/bin:/bin")
    monkeypatch.setenv("SLURM_JOB_ID", "123")
    monkeypatch.setenv("RESUME_BEFORE_END", "900d")
    monkeypatch.setenv("RESUME_REQUEUE", "slurm")
    commands.prints("scontrol", "")

    assert count(5, deadline="800d", before_end="1d") == 5
    with pytest.raises(Preempted):
        count(deadline="800d")

    assert commands.calls("scontrol") == ["requeue 123"]
    assert ", and before_end is 900d: will save at the next safe point and leave" in said.text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("RESUME_BEFORE_END", "^RESUME_BEFORE_END='pbs' is no duration"),
        ("RESUME_REQUEUE", "^RESUME_REQUEUE='pbs' is unknown: it can be 'slurm', or unset"),
    ],
)
def test_what_the_environment_may_not_say(name, text, monkeypatch):
    monkeypatch.setenv(name, "pbs")

    assert count(3) == 3  # there is no deadline
    with pytest.raises(ConfigError, match=text):
        count(deadline="800d")


def test_the_job_that_is_asked_for_is_that_of_the_start(tmp_path, monkeypatch):
    """The program may change its environment, and a state that comes back may do so, too."""
    commands = Commands(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{commands.folder}:/usr/bin:/bin")
    monkeypatch.setenv("SLURM_JOB_ID", "123")
    commands.prints("scontrol", "")

    def fit():
        chp = Checkpoint("fit", deadline=PAST, requeue="slurm")
        i = 0
        chp.restore()
        os.environ["SLURM_JOB_ID"] = "77"
        while i < MOST:
            i += 1
            chp.sync()

    with pytest.raises(Preempted):
        fit()
    assert commands.calls("scontrol") == ["requeue 123"]


# --- @resumable --------------------------------------------------------------------------------


@pytest.mark.untraced  # a tracer holds off saves on 3.11
def test_a_resumable_call_leaves_by_its_deadline(said):
    """At whatever statement it is."""
    seen = []

    def work(most, seen):
        k = 0
        while k < most:
            k += 1
            seen.append(k)
            time.sleep(0.001)
        return k

    with pytest.raises(Preempted):
        resumable(deadline=PAST)(work)(MOST, seen)

    assert len(seen) < MOST  # none, where the save comes at the first statement
    assert "(deadline: the time is up); run the program again to go on from there" in said.text


def test_a_resumable_call_that_asks_itself_leaves_there():
    def work(most):
        for _ in range(most):
            resume.sync()
            time.sleep(0.001)

    with pytest.raises(Preempted):
        resumable(deadline=PAST, rate=1000)(work)(MOST)


def test_a_short_call_saves_nothing_for_it():
    """That somebody looks after the clock is no reason to save."""

    def work(n):
        time.sleep(0.3)
        return n

    assert resumable(deadline="5000d")(work)(3) == 3
    assert not Path(".checkpoints").exists()


def test_all_that_leaving_needs_can_be_imported_ahead():
    """A script may lie beside a file of its own that bears the name of a library."""
    code = (
        "import sys; from resume.departing import prepare_to_leave; prepare_to_leave()\n"
        "assert {'subprocess', 'resume.triggers.departure'} <= set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    prepare_to_leave()


# --- resume run --------------------------------------------------------------------------------


def test_the_words_of_resume_run():
    options = read_words(
        ["--deadline", "23h30m", "--before-end=90", "--requeue", "slurm", "fit.py", "--deadline"]
    )

    assert (options.deadline, options.before_end, options.requeue) == ("23h30m", "90", "slurm")
    assert options.argv == ("--deadline",)
    assert read_words(["fit.py"]).deadline == "auto"
    assert read_words(["--deadline=none", "fit.py"]).deadline == "none"
    assert read_words(["--deadline=auto", "fit.py"]).deadline == "auto"


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("--deadline=soon", "--deadline='soon' is no deadline"),
        ("--before-end=soon", "--before-end='soon' is no duration"),
        ("--requeue=pbs", "--requeue cannot be 'pbs': --requeue slurm"),
    ],
)
def test_words_that_are_refused(word, text):
    with pytest.raises(ConfigError, match=text):
        read_words([word, "fit.py"])
