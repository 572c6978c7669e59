"""A Ctrl-C at any line of a save: nothing hangs, nothing is left, and the next save is right."""

from __future__ import annotations

import gc
import linecache
import os
import random
import shutil
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from crash.disk import leftovers
from crash.held import PATIENCE_S, due_sync
from crash.test_checkpoint_kills import Hasty, use

from resume import Checkpoint
from resume.store import Store

NOISE = np.random.default_rng(0).integers(0, 256, (4 << 20) + 77, np.uint8)
"""More than the memory of the writer."""
LINES = ("resume/store/", "resume/engine.py", "resume/saving.py", "resume/run.py")
"""Where the interrupt comes; the pickler is C, and what it calls are small steps."""
WAITS = ("/threading.py",)
"""Threads are started, and waited for, by Python code of the standard library."""
NEVER_IN = (
    "__del__",  # it would be printed, and lost
    "__init__",  # 3.11: raised by a tracer behind `except: pass`, it leaves that error handled
)


class InterruptsAt:
    """As a trace function: raises KeyboardInterrupt at the n-th line of *files* that runs."""

    def __init__(self, line: int, files: tuple[str, ...]) -> None:
        self._left = line
        self._files = files
        self._entered: set[tuple[int, int]] = set()
        self.place = ""
        """File and line, once it was raised."""

    def __call__(self, frame, event, argument):
        name = frame.f_code.co_filename.replace(os.sep, "/")
        is_meant = any(part in name for part in self._files)
        return self._trace if is_meant and frame.f_code.co_name not in NEVER_IN else None

    def _trace(self, frame, event, argument):
        if event == "line" and not self.place and not self._leaves_a_block(frame):
            self._left -= 1
            if self._left == 0:
                self.place = f"{frame.f_code.co_filename}:{frame.f_lineno}"
                raise KeyboardInterrupt
        return self._trace

    def _leaves_a_block(self, frame):
        # The end of a `with` is told as its line, too; there the interpreter lets no signal in
        # before the block is left.
        line = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
        key = id(frame), frame.f_lineno
        if not line.startswith("with ") or key not in self._entered:
            self._entered.add(key)
            return False
        return True


def store(folder):
    return Store(Path(folder), "work")


def files_left(folder):
    """Scratch files, and bodies that nobody names."""
    named = {body.name for one in store(folder).entries() for body in one.manifest.bodies}
    bodies = {path.name for path in store(folder).place.glob("*.ckpt")}
    return [*leftovers(store(folder).place), *(bodies - named)]


def threads_left():
    """Ours that do not end; what an interrupt let run on may take a moment."""
    deadline = time.monotonic() + PATIENCE_S
    while names := [
        one.name
        for one in threading.enumerate()  # among them those that never began
        if one.name.startswith("resume") and one.is_alive()
    ]:
        if time.monotonic() > deadline:
            return names
        time.sleep(0.001)
    return []


@pytest.fixture(autouse=True)
def no_collector():
    """Nothing of ours may need it to go: a cycle would keep the lock."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(autouse=True)
def lost(monkeypatch):
    """Modules of the callbacks in which an interrupt was met, printed, and lost."""
    found = []

    def note(unraisable):  # no more of it: what was raised holds the frames below the callback
        found.append(getattr(unraisable.object, "__module__", type(unraisable.object).__name__))

    monkeypatch.setattr(sys, "unraisablehook", note)
    yield found
    # `threading` keeps all threads in a set that calls back when one goes
    assert set(found) <= {"_weakrefset"}


def work(folder):
    """Three saves, of which the second is interrupted; whether it was."""
    chp = Checkpoint("work", folder=folder, rate=0.001, memory="4MiB", compress="none", keep=1)
    data = NOISE.copy()
    n = 1
    chp.restore()
    assert chp.save()
    data += np.uint8(1)
    n = 2
    was_interrupted = interrupt(lambda: chp.save() if how == "save" else due_sync(chp))
    data[9] ^= 1
    data[-1] ^= 1
    n = 3
    assert chp.save()
    return was_interrupted, data.tobytes()


how = "sync"
"""No arguments of `work`: calls are told apart by the folder."""


def interrupt(act):
    """Call *act*, and interrupt it; whether that was in time."""
    raise NotImplementedError


def was_interrupted(folder):
    """Whether the save in the middle was; what came behind it is checked."""
    done, data = work(folder)
    newest = store(folder).newest()
    assert data in [bytes(one) for one in store(folder).read(newest).buffers]
    assert store(folder).verify() == []
    assert store(folder).holder() is None
    assert threads_left() == []
    if how == "sync":  # what the program itself writes may be cut short; the next run removes it
        assert files_left(folder) == []
    shutil.rmtree(folder)
    return done


def interrupted_at_lines(monkeypatch, kind, step, files=LINES):
    """The last line at which a save was interrupted: the first, and each *step*-th behind it."""
    use(Hasty(), monkeypatch)
    places = []

    def at_line(act):
        tracer = InterruptsAt(line, files)
        before = sys.gettrace()
        sys.settrace(tracer)
        try:
            act()
        except KeyboardInterrupt:
            places.append(tracer.place)
            return True
        finally:
            sys.settrace(before)
        return False

    monkeypatch.setitem(globals(), "how", kind)
    monkeypatch.setitem(globals(), "interrupt", at_line)
    line = 1
    try:
        while was_interrupted(f"at-{line}"):
            line += step
    except BaseException as why:
        why.add_note(f"interrupted at {places[-1:]}")
        raise
    return line


@pytest.mark.untraced
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["sync", "save"])
def test_an_interrupt_at_many_lines_of_a_save(monkeypatch, kind):
    """From the first to the last: the next save works, and holds the state."""
    assert interrupted_at_lines(monkeypatch, kind, 37) > 150


@pytest.mark.slow
@pytest.mark.untraced
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", ["sync", "save"])
def test_an_interrupt_while_a_thread_starts_or_ends(monkeypatch, kind):
    """At every line of what waits for that."""
    assert interrupted_at_lines(monkeypatch, kind, 1, WAITS) > 20


@pytest.mark.slow
@pytest.mark.untraced
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind", ["sync", "save"])
def test_an_interrupt_at_any_line_of_a_save(monkeypatch, kind):
    """As above, at every line."""
    assert interrupted_at_lines(monkeypatch, kind, 1) > 150


@pytest.mark.untraced
@pytest.mark.timeout(300, method="thread")  # the other method has the same timer
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs interval timers")
@pytest.mark.parametrize("kind", ["sync", "save"])
@pytest.mark.parametrize("times", [40, pytest.param(1000, marks=pytest.mark.slow)])
def test_an_interrupt_at_any_time_of_a_save(monkeypatch, kind, times):
    """By real signals, at random moments of a save and of the waits in it."""
    use(Hasty(), monkeypatch)
    dice = random.Random(7)
    durations = [0.02]

    def in_time(act):
        began = time.perf_counter()
        try:  # twice, for the interrupt may come where the timer is stopped
            try:
                signal.setitimer(signal.ITIMER_REAL, dice.uniform(1e-4, max(durations[-3:])))
                act()
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
        except KeyboardInterrupt:
            return True
        durations.append(time.perf_counter() - began)
        return False

    monkeypatch.setitem(globals(), "how", kind)
    monkeypatch.setitem(globals(), "interrupt", in_time)
    earlier = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        done = [was_interrupted(f"{row}") for row in range(times)]
    finally:
        signal.signal(signal.SIGALRM, earlier)

    assert sum(done) > 5
