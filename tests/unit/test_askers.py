"""A file and a cloud ask real runs for saves, in each way in; what is left behind when they end."""

from __future__ import annotations

import gc
import math
import os
import subprocess
import sys
import threading
import time
import weakref

import pytest
from metadata_server import MetadataServer

from resume import Checkpoint, Preempted, resumable
from resume.askers import let_cloud_ask, let_file_ask, prepare_watch
from resume.asking import Asking
from resume.errors import ConfigError
from resume.script import saving as script_saving
from resume.script.command import read_words
from resume.script.options import RunOptions
from resume.script.saving import ScriptSaving
from resume.store import Store, names_in_use

PATIENCE_S = 90


@pytest.fixture
def server(monkeypatch):
    with MetadataServer("aws").running() as running:
        monkeypatch.setenv("RESUME_METADATA", running.url)
        yield running


def wait_for(condition) -> None:
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until, "it never came true"
        time.sleep(0.002)


def is_over(since: float) -> bool:
    return time.monotonic() > since + PATIENCE_S


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def tasks() -> int:
    return len(os.listdir("/proc/self/task"))


needs_proc = pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="needs /proc")


def newest(name: str):
    return Store(".checkpoints", name).newest().draft


# --- a plain checkpoint ------------------------------------------------------------------------


def count_until(done, **options) -> None:
    chp = Checkpoint("count", rate="1h", **options)
    i = 0
    chp.restore()
    began = time.monotonic()
    while not done() and not is_over(began):
        i += 1
        time.sleep(0.001)
        chp.sync()


def test_a_file_asks_a_checkpoint(tmp_path):
    """It is looked for though no save is due for an hour."""
    (tmp_path / "CHKPT").touch()

    count_until(lambda: not (tmp_path / "CHKPT").exists())

    assert newest("count").trigger == "request"


def test_a_line_of_its_own_is_looked_for_in_its_own_folder(tmp_path):
    """Another call of the function gets one when it restores."""
    paths = []

    def train(fold: int) -> None:
        chp = Checkpoint("train", rate="1h")
        chp.restore()
        began = time.monotonic()
        for item in chp.loop(range(10**9)):
            time.sleep(0.001)
            if item == 1 and fold == 1:
                return
            if item == 1:
                paths.append(tmp_path / ".checkpoints" / chp.name / "CHKPT")
                paths[0].touch()
            if item == 0:
                chp.save()
            elif not paths[0].exists() or is_over(began):
                return

    train(1)

    train(2)

    assert not paths[0].exists()
    assert paths[0].parent.name.startswith("train@")


def test_a_cloud_asks_a_checkpoint_and_it_leaves(server):
    server.announce()

    with pytest.raises(Preempted) as left:
        count_until(lambda: False, watch="aws", exit_code=85)

    assert left.value.code == 85
    assert newest("count").trigger == "preempt"
    assert newest("count").extra == {
        "preempt": {"cloud": "aws", "action": "terminate", "time": "2017-09-18T08:22:00Z"}
    }


def test_the_environment_names_the_cloud(server, monkeypatch):
    monkeypatch.setenv("RESUME_WATCH", "aws")
    server.announce()

    with pytest.raises(Preempted):
        count_until(lambda: False)


@pytest.mark.parametrize("make", [lambda: Checkpoint(watch="ibm"), lambda: resumable(watch="ibm")])
def test_a_cloud_that_nobody_knows_is_refused_at_once(make):
    with pytest.raises(ConfigError, match="watch='ibm' is unknown"):
        make()


@needs_proc
def test_when_a_checkpoint_ends_no_thread_and_no_descriptor_is_left(server):
    count_until(lambda: True)  # what is imported for the first time opens files
    count_until(lambda: len(server.asked) >= 3, watch="aws")
    threads = threading.active_count()
    server.asked.clear()
    wait_for(lambda: threading.active_count() <= threads)
    gc.collect()
    before = descriptors(), tasks()

    count_until(lambda: len(server.asked) >= 3, watch="aws", clean=True)

    wait_for(lambda: descriptors() <= before[0] and tasks() <= before[1])


class Model:
    def __init__(self) -> None:
        self.epoch = 0
        self.chp = Checkpoint("model", of=self, rate="1h", watch="aws")
        self.chp.restore()


@needs_proc
def test_an_object_that_is_dropped_ends_its_watch(server):
    """Nobody says so, and the thread must not keep it alive."""
    before = tasks()
    model = Model()
    gone = weakref.ref(model)
    while len(server.asked) < 2:
        model.chp.sync()
        time.sleep(0.001)
    del model

    wait_for(lambda: gc.collect() is not None and gone() is None)

    wait_for(lambda: tasks() <= before)


# --- a decorated function ----------------------------------------------------------------------


@resumable(rate="1h")
def counted(limit: float, path: str) -> int:
    i = 0
    while os.path.exists(path) and time.monotonic() < limit:
        i += 1
    return i


@pytest.mark.untraced
def test_a_file_asks_a_decorated_call(tmp_path):
    path = tmp_path / "CHKPT"
    path.touch()

    counted(time.monotonic() + PATIENCE_S, str(path))

    assert not path.exists()


@resumable(rate="1h", watch="aws")
def watched(limit: float) -> int:
    i = 0
    while time.monotonic() < limit:
        i += 1
    return i


@pytest.mark.untraced
def test_a_cloud_asks_a_decorated_call_and_it_leaves(server):
    server.announce()

    with pytest.raises(Preempted):
        watched(time.monotonic() + PATIENCE_S)


@resumable(rate="1h")
def told_nothing(until: float, folder: str) -> bool:
    while time.monotonic() < until and not os.path.exists(folder):
        pass
    return os.path.exists(folder)


def test_a_call_that_nobody_asks_saves_nothing(tmp_path):
    """That somebody looks is no wish for a save."""
    assert not told_nothing(time.monotonic() + 0.3, str(tmp_path / ".checkpoints"))


# --- a script ----------------------------------------------------------------------------------


class Begun(ScriptSaving):
    """A script's saving, as it is when the script runs."""

    def __init__(self, **options: str) -> None:
        super().__init__(RunOptions("count.py", **options))
        self.saves = 0
        self.asking.wake = self._count

    def _count(self) -> None:
        self.saves += 1


def test_a_script_that_ends_at_once_pays_for_no_look(monkeypatch):
    monkeypatch.setattr(script_saving, "_OPENS_AFTER_S", 100.0)
    saving = Begun()

    assert 0 < saving.poll_s() <= 100
    assert saving.asking.next_poll_at == math.inf


def test_a_file_asks_a_script(tmp_path, monkeypatch):
    monkeypatch.setattr(script_saving, "_OPENS_AFTER_S", 0.0)
    saving = Begun()
    assert 0 < saving.poll_s() <= 1.0
    assert saving.saves == 0
    (tmp_path / "CHKPT").touch()
    monkeypatch.setattr(saving.asking, "_look_at", -math.inf)

    saving.poll_s()

    assert saving.saves == 1
    saving.ended(None)


LOOKING = """
import os, sys
from resume.script import saving
from resume.script.options import RunOptions

saving._OPENS_AFTER_S = 0.0
script = saving.ScriptSaving(RunOptions("count.py"))
before = {*sys.modules}
script.poll_s()
hooked = {"logging", "threading", "random", "concurrent.futures.thread"} - before
sys.exit(sorted(hooked & {*sys.modules}))
"""


def test_to_look_for_a_file_imports_nothing_that_has_hooks_for_forks():
    """It is done beside the program, which may fork: half of a hook's pair would be called."""
    done = subprocess.run([sys.executable, "-c", LOOKING], check=False, capture_output=True)

    assert done.returncode == 1
    assert done.stderr.strip() == b"[]"


@pytest.mark.parametrize("way", ["option", "environment"])
def test_a_cloud_asks_a_script(server, monkeypatch, way):
    monkeypatch.setattr(script_saving, "_OPENS_AFTER_S", 0.0)
    if way == "environment":
        monkeypatch.setenv("RESUME_WATCH", "aws")
    saving = Begun(**({"watch": "aws"} if way == "option" else {}))
    saving.prepare()
    saving._watch_the_cloud()
    server.announce()
    saving.poll_s()

    wait_for(lambda: saving.saves)

    assert saving.asking.is_asked
    saving.ended(None)


def test_the_words_name_the_cloud():
    assert read_words(["--watch", "gcp", "a.py"]).watch == "gcp"
    assert read_words(["a.py"]).watch is None
    with pytest.raises(ConfigError, match="--watch cannot be 'ibm'"):
        read_words(["--watch=ibm", "a.py"])


def test_a_cloud_of_the_environment_that_nobody_knows_stops_a_script(monkeypatch):
    monkeypatch.setenv("RESUME_WATCH", "ibm")

    with pytest.raises(ConfigError, match="watch='ibm'"):
        Begun()


# --- by themselves -----------------------------------------------------------------------------


HIDDEN = """
import importlib
import sys
from resume.askers import prepare_watch
from resume.triggers.metadata import mail_dates
from resume.triggers.watching import http_client

prepare_watch()
for name in [name for name in sys.modules if name.partition(".")[0] in ("http", "email")]:
    del sys.modules[name]
with open("http.py", "w") as file:
    file.write("mine = True")
importlib.invalidate_caches()
import http
assert http.mine
http_client().HTTPConnection, mail_dates().parsedate_to_datetime
"""


def test_what_a_watch_needs_is_at_hand_when_the_program_s_own_files_hide_it():
    """`resume run` lets the program find its own modules, whatever their names."""
    done = subprocess.run([sys.executable, "-c", HIDDEN], check=False, capture_output=True)

    assert done.returncode == 0, done.stderr
    prepare_watch()


def test_a_notice_for_a_run_that_is_gone_is_nobodys(server):
    asking = Asking()
    let_cloud_ask(asking, "aws")
    watch = asking._sources[0]
    asking._sources.clear()
    del asking
    gc.collect()
    server.announce()

    assert not watch.step()
    assert watch.next_look_at(0.0) == math.inf


def test_without_a_working_folder_only_the_own_is_looked_into(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    place = tmp_path / "fit"
    place.mkdir()
    asking = Asking()
    let_file_ask(asking, "fit", lambda: place, tmp_path)
    assert asking.poll(0.0) is None

    (place / "CHKPT").touch()

    assert asking.poll(10.0).why == str(place / "CHKPT")
    asking.forget()


def test_names_in_use_are_those_that_other_programs_hold(tmp_path):
    code = (
        "import sys, time, pathlib; from resume.store import Store;"
        "store = Store(pathlib.Path('shelf'), 'a b'); store.lock();"
        "print('held', flush=True); sys.stdin.read()"
    )
    shelf = tmp_path / "shelf"
    assert names_in_use(shelf) == []
    ours = Store(shelf, "ours")
    ours.lock()
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout.readline() == b"held\n"

        assert names_in_use(shelf) == ["a b"]

    assert names_in_use(shelf) == []
    ours.unlock()
