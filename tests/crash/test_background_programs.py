"""Programs that end, fork, are killed or start children while a save is on its way to the disk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from crash.disk import leftovers

import resume
from resume.store import Store

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
    pytest.mark.timeout(120),
]

TESTS = Path(__file__).resolve().parents[1]

PRELUDE = """
import atexit, functools, multiprocessing, os, signal, sys, threading, time
import numpy as np
from pathlib import Path
from crash.held import FULL, Held, due_sync, held, later, written
from resume import Checkpoint, engine
from resume.store import Store

disk = Held()
engine.Store = functools.partial(Store, disk=disk)
exclude = ["disk"]

def on_disk(name="work"):
    return sorted(int(one.name[:8]) for one in Path("store", name).glob("*.manifest.json"))

"""


def start(source, **popen):
    Path("program.py").write_text(PRELUDE + textwrap.dedent(source))
    paths = os.pathsep.join([str(TESTS), os.environ["PYTHONPATH"]])
    return subprocess.Popen(
        [sys.executable, "-W", "ignore::DeprecationWarning", "program.py"],
        env={**os.environ, "PYTHONPATH": paths},
        stdin=subprocess.DEVNULL,
        text=True,
        **popen,
    )


def run(source, timeout=60):
    """The exit status of the program, and what it printed."""
    with open("out", "w") as out, open("err", "w") as err:  # no pipes: orphans keep them open
        process = start(source, stdout=out, stderr=err)
        try:
            code = process.wait(timeout)
        finally:
            process.kill()
            process.wait()
    return code, Path("out").read_text(), Path("err").read_text()


def store(name="work"):
    return Store(Path("store"), name)


def numbers(name="work"):
    assert store(name).verify() == []
    assert leftovers(store(name).place) == []
    return [entry.number for entry in store(name).entries()][::-1]


# --- ends ---

ENDS = {
    "pass": ((0,), ""),
    "raise LookupError('mine')": ((1,), "LookupError: mine"),
    "sys.exit(3)": ((3,), ""),
    "sys.exit('text')": ((1,), "text"),
    "os.kill(os.getpid(), signal.SIGINT)": ((-signal.SIGINT,), "KeyboardInterrupt"),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("where", ["script", "function"])
def test_a_program_that_ends_while_a_save_is_on_its_way(end, where):
    """However it ends: the generation is durable, and the exit status is its own."""
    body = f"""
    chp = Checkpoint("work", folder="store", rate=0.001, exclude=exclude, signals=())
    n = 5
    chp.restore()
    disk.hold()
    assert due_sync(chp)
    assert disk.reached.wait(10) and on_disk() == []
    later(disk.let_go, 0.3)
    {end}
    """
    if where == "function":
        body = "def work():\n" + textwrap.indent(textwrap.dedent(body), "    ") + "\nwork()\n"

    code, _, err = run(body)

    statuses, text = ENDS[end]
    assert code in statuses, err
    assert text in err
    assert "ignored" not in err
    assert numbers() == [1]
    assert store().holder() is None
    assert resume.load("work", folder="store")["n"] == 5


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_a_signal_that_no_safe_point_comes_for(number):
    """At the end of the function the save that is on its way is waited for; then it acts."""
    code, _, err = run(f"""
    def work():
        chp = Checkpoint("work", folder="store", rate=0.001, exclude=exclude)
        n = 5
        chp.restore()
        disk.hold()
        assert due_sync(chp)
        later(disk.let_go, 0.3)
        os.kill(os.getpid(), signal.{number})

    work()
    time.sleep(60)
    """)

    assert code == -getattr(signal, number), err
    assert "at the next safe point" in err
    assert numbers() == [1]


def test_a_program_that_ends_while_an_object_of_it_is_saved():
    """`of=`: nobody waits for it but the interpreter."""
    code, _, err = run("""
    class Trainer:
        def __init__(self):
            self.n = 5
            self.chp = Checkpoint("work", of=self, folder="store", rate=0.001)
            self.chp.restore()

    trainer = Trainer()
    disk.hold()
    assert due_sync(trainer.chp)
    later(disk.let_go, 0.3)
    """)

    assert (code, err) == (0, "")
    assert numbers() == [1]


@pytest.mark.parametrize(
    ("option", "end", "status"),
    [
        ("warn", "pass", 0),
        ("raise", "pass", 30),
        ("raise", "sys.exit(0)", 30),
        ("raise", "raise LookupError('mine')", 1),
    ],
)
@pytest.mark.parametrize("where", ["script", "function"])
def test_a_program_that_ends_while_a_save_fails(option, end, status, where):
    """A line; with `on_save_error="raise"` the error's exit status, where there is no other."""
    body = f"""
    chp = Checkpoint("work", folder="store", rate=0.001, on_save_error="{option}", exclude=exclude)
    n = 5
    chp.restore()
    disk.error = FULL
    disk.hold()
    assert due_sync(chp)
    later(disk.let_go, 0.3)
    {end}
    """
    if where == "function":
        body = "def work():\n" + textwrap.indent(textwrap.dedent(body), "    ") + "\nwork()\n"

    code, _, err = run(body)

    assert code == status, err
    assert err.count("could not save") == 1
    assert "no space left on device" in err
    assert numbers() == []


@pytest.mark.parametrize("size", [10, 20 << 20])
@pytest.mark.parametrize("how", ["sync", "save"])
def test_saving_at_the_very_end_of_the_interpreter(size, how):
    """In an atexit function, where 3.12 starts no thread: it is written all the same."""
    code, out, err = run(f"""
    def last():
        chp = Checkpoint("work", folder="store", rate=0, memory="4MiB", exclude=exclude)
        data = np.random.default_rng(0).integers(0, 255, {size}, np.uint8)
        chp.restore()
        assert chp.{how}()
        data += 1
        assert chp.{how}().generation == 2
        try:
            threading.Thread(target=print).start()
        except RuntimeError:
            print("no thread starts", end="")

    atexit.register(last)
    """)

    assert (code, err) == (0, "")
    if sys.version_info[:2] == (3, 12):
        assert "no thread starts" in out
    assert numbers() == [1, 2]
    data = np.random.default_rng(0).integers(0, 255, size, np.uint8) + np.uint8(1)
    assert np.array_equal(resume.load("work", folder="store")["data"], data)


def test_ctrl_c_at_the_end_of_the_program():
    """Twice, while the interpreter and then the checkpoint wait for the writer: no hang."""
    code, _, err = run("""
    chp = Checkpoint("work", folder="store", rate=0.001, exclude=exclude)
    n = 5
    chp.restore()
    disk.hold()
    assert due_sync(chp)
    for seconds in (0.3, 0.8):
        later(lambda: os.kill(os.getpid(), signal.SIGINT), seconds)
    later(disk.let_go, 1.6)
    """)

    assert code in (0, 1, -signal.SIGINT), err
    assert "can't start new thread" not in err
    assert "can't create new thread" not in err
    assert store().verify() == []


# --- children ---


@pytest.mark.parametrize("end", ["os._exit(0)", "sys.exit(0)", "return"])
def test_a_child_forked_while_a_save_is_on_its_way(end):
    """It neither hangs nor writes, however it ends; the parent's generation is whole."""
    code, out, err = run(f"""
    def work():
        chp = Checkpoint("work", folder="store", rate=0.001, exclude=exclude)
        n = 5
        data = np.arange(100_000)
        chp.restore()
        disk.hold()
        assert due_sync(chp)
        assert disk.reached.wait(10)
        me = os.getpid()
        if os.fork() == 0:
            assert not chp.sync() and not chp.save()
            assert "child" and Store(Path("store"), "work").newest() is None
            own(me)
            {end}
        if os.getpid() == me:
            assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
            assert on_disk() == [] and on_disk("own") == [1]
            disk.let_go()
            del me
            assert due_sync_later(chp).generation == 2

    def due_sync_later(chp):
        written(chp)
        return due_sync(chp)

    def own(me):
        # a checkpoint of its own, with a writer of its own
        disk.let_go()
        with Checkpoint("own", folder="store", rate=0.001, exclude=["me"]) as chp:
            k = 1

    work()
    print("end", threading.active_count())
    """)

    assert code == 0, err
    assert err == ""
    assert out.count("end 1") == (2 if end == "return" else 1)
    assert numbers() == [1, 2]
    assert numbers("own") == [1]
    assert store().holder() is None


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_the_last_save_of_a_multiprocessing_child_is_durable_when_its_function_returns(method):
    """Its checkpoint is its own; what comes right after the function may end the process."""
    code, _, err = run(f"""
    def work(name):
        chp = Checkpoint(name, folder="store", rate=0.001, exclude=exclude)
        n = 0
        data = np.arange(100_000)
        chp.restore()
        while n < 3:
            n += 1
            written(chp)
            answer = due_sync(chp)
            if n == 2:
                written(chp)
                disk.hold()
        assert not answer.is_durable
        later(disk.let_go, 0.3)

    def child(name, at_once):
        work(name)
        assert on_disk(name) == [1, 2, 3], on_disk(name)
        if at_once:
            os._exit(0)

    if __name__ == "__main__":
        context = multiprocessing.get_context("{method}")
        children = [context.Process(target=child, args=(f"work-{{k}}", k % 2)) for k in range(4)]
        for one in children:
            one.start()
        for one in children:
            one.join()
        assert [one.exitcode for one in children] == [0, 0, 0, 0]
    """)

    assert (code, err) == (0, "")
    for k in range(4):
        assert numbers(f"work-{k}") == [1, 2, 3]
        assert resume.load(f"work-{k}", folder="store")["n"] == 3


# --- killed ---


@pytest.mark.parametrize("at", ["fsync", "write"])
def test_killed_while_a_save_is_on_its_way(at):
    """The generation before is whole, and the next run removes what is left."""
    program = f"""
    def work():
        chp = Checkpoint("work", folder="store", rate=0.001, exclude=exclude)
        n = 0
        data = np.random.default_rng(0).random(1 << 20)
        is_rerun = bool(chp.restore())
        if is_rerun:
            assert n == 1
            print(len(list(Path("store", "work").glob(".*.tmp"))), end="")
        while n < 2:
            n += 1
            if n == 1 or is_rerun:
                assert chp.save().generation == n
            else:
                disk.at = "{at}"
                disk.hold()
                data += 1
                assert due_sync(chp)
                assert disk.reached.wait(10)
                os.kill(os.getpid(), signal.SIGKILL)
    work()
    """
    code, _, err = run(program)
    assert code == -signal.SIGKILL, err
    assert store().verify() == []
    assert [entry.number for entry in store().entries()] == [1]
    assert len(leftovers(store().place)) == 1

    code, out, err = run(program)

    assert (code, out) == (0, "0"), err
    assert numbers() == [1, 2]
    assert resume.load("work", folder="store")["n"] == 2


# --- memory ---


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
def test_the_memory_of_a_save_is_bounded():
    """State, `memory=` and little more, at the first save and where all of it has changed."""
    code, out, err = run("""
    def peak(key="VmHWM"):
        for line in open("/proc/self/status"):
            if line.startswith(key):
                return int(line.split()[1]) >> 10

    def work():
        chp = Checkpoint("work", folder="store", rate=0.001, memory="8MiB", exclude=exclude)
        data = np.random.default_rng(0).random(16 << 20)
        chp.restore()
        assert due_sync(chp)
        data *= 2
        written(chp)
        assert due_sync(chp)
        data[::4096] = 1
        data[5] = 5
        assert chp.save().generation == 3

    before = peak("VmRSS")
    work()
    print(peak() - before)
    """)

    assert (code, err) == (0, "")
    assert int(out) <= 128 + 8 + 64
    assert numbers() == [1, 2, 3]
    data = np.random.default_rng(0).random(16 << 20) * 2
    data[::4096] = 1
    data[5] = 5
    assert np.array_equal(resume.load("work", folder="store")["data"], data)
