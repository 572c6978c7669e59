"""When a `@resumable` call saves, and what it does where that fails."""

from __future__ import annotations

import errno
import functools
import math
import os
import random
from pathlib import Path

import pytest
from cutting import Cut

import resume
from resume import CheckpointBusyError, ConfigError, StoreError, engine, resumable
from resume.reentry.wrappers import running
from resume.store import Store
from resume.store.files import Disk


class Filling(Disk):
    """A disk that may be full."""

    is_full = False

    def create(self, path):
        if self.is_full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().create(path)


@pytest.fixture
def disk(monkeypatch):
    disk = Filling()
    monkeypatch.setattr(engine, "Store", functools.partial(Store, disk=disk))
    return disk


def generations():
    return len(list(Path(".checkpoints").glob("*/*.manifest.json")))


hooks = []
"""What the functions below do beside their work: modules are no part of what is saved."""


@pytest.fixture(autouse=True)
def _no_hooks():
    hooks.clear()


def at(i):
    for hook in hooks:
        hook(i)


def count(n, asks):
    done = 0
    for i in range(n):
        at(i)
        asks()
        done += 1
    return done


def let_it_be_due(_):
    running[-1]._execution.let_be_due_at(-math.inf)


SAVE = [resume.save, resume.sync]
"""Waiting for the disk, and beside it."""


@pytest.mark.parametrize("asks", SAVE, ids=["save", "sync"])
def test_a_failed_save_is_raised_in_the_call_where_that_was_asked_for(disk, asks):
    """The one before it is whole: equal calls go on from there."""
    work = resumable(on_save_error="raise", rate=0)(count)
    seen = []
    hooks.extend([let_it_be_due, seen.append, lambda i: setattr(disk, "is_full", i >= 3)])

    with pytest.raises(StoreError, match=r"no space left .*\. The previous generation is"):
        work(30, asks)
    assert 3 in seen
    assert 29 not in seen
    assert generations() >= 1

    hooks.pop()
    disk.is_full = False
    del seen[:]
    assert work(30, asks) == 30
    assert seen[0] > 0
    assert generations() == 0


@pytest.mark.parametrize("asks", SAVE, ids=["save", "sync"])
def test_a_failed_save_is_said_else_and_the_next_one_is_tried(disk, asks, caplog):
    work = resumable(rate=0)(count)
    hooks.extend([let_it_be_due, lambda i: setattr(disk, "is_full", 3 <= i < 6)])
    hooks.append(lambda i: cut() if i == 20 else None)

    with pytest.raises(Cut):
        work(30, asks)

    assert "could not save: cannot save" in caplog.text
    assert generations() >= 1


def cut():
    raise Cut


def test_a_program_that_catches_the_error_is_told_each_time(disk):
    """As by `Checkpoint.save()`; nothing is saved meanwhile, and the call goes on."""
    disk.is_full = True
    told = []

    @resumable(on_save_error="raise", rate="1h")
    def stubborn(told):
        for _ in range(3):
            try:
                resume.save()
            except StoreError as why:
                told.append(type(why))
        return len(told)

    assert stubborn(told) == 3


@pytest.mark.parametrize("on_save_error", ["warn", "raise"])
def test_another_run_that_took_the_line_meanwhile_is_a_failure(on_save_error, caplog):
    """It is said, and the call goes on without saves; or it is raised."""
    thieves = []

    def steal(_):
        thieves.append(Store(Path(".checkpoints"), running[-1]._execution.engine.name))
        thieves[0].lock()

    hooks.append(steal)
    work = resumable(on_save_error=on_save_error, rate="1h")(count)

    if on_save_error == "raise":
        with pytest.raises(CheckpointBusyError):
            work(1, resume.save)
    else:
        assert work(1, resume.save) == 1
        assert "This run goes on, and saves nothing" in caplog.text
    thieves[0].unlock()


def settle(_):
    """Let no save be on its way when they are counted."""
    pending = running[-1]._execution.engine._pending
    if pending is not None:
        pending.settle()


def test_every_nth_sync_saves_beside_the_rate():
    """It is waited for, not skipped: each of them stands on the one before."""
    work = resumable(rate="1h", iterations=3, keep=99)(count)
    seen = []
    hooks.extend([settle, lambda _: seen.append(generations())])
    hooks.append(lambda i: cut() if i == 10 else None)

    with pytest.raises(Cut):
        work(20, resume.sync)

    assert seen == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3]


def test_the_beginning_and_every_nth_sync_are_saved_together():
    """At the first statement that a timer finds, or at the first `sync()`."""
    work = resumable(rate="1h", iterations=3, at_start=True, keep=99)(count)
    seen = []
    hooks.extend([settle, lambda _: seen.append(generations())])
    hooks.append(lambda i: cut() if i == 10 else None)

    with pytest.raises(Cut):
        work(20, resume.sync)

    assert seen[1] == 1
    assert seen[10] == 4


def test_a_call_that_goes_on_does_not_begin():
    """`at_start` saves no second time what was just restored."""
    work = resumable(rate="1h", at_start=True, keep=99)(count)
    seen = []
    hooks.extend([settle, lambda _: seen.append(generations()), lambda i: i and cut()])

    for _ in range(3):
        with pytest.raises(Cut):
            work(5, resume.sync)

    assert seen[1:] == [1, 1, 1]


def test_what_the_writer_took_puts_off_the_next_save():
    """`rate="auto"`: its processor time is taken from the program, and has to be earned."""
    work = resumable(rate="auto", compress=19)(count_in)
    saved, left_s = [], []

    hooks.extend([settle, lambda _: saved.append(generations())])
    hooks.extend([lambda _: left_s.append(running[-1]._execution.wait_s()), let_it_be_due])
    letters = random.Random(1).choices(b"some letters", k=300_000)

    work(bytes(letters))

    assert saved == [0, 1, 1]
    assert left_s[2] > 1.0  # put back, although it was due


def count_in(data):
    for i in range(3):
        at(i)
        resume.sync()
    return len(data)


@pytest.mark.parametrize(
    "options",
    [
        {"iterations": 0},
        {"max_overhead": 2},
        {"max_loss": 0},
        {"rate": "now"},
        {"on_save_error": "ignore"},
        {"before_end": "x"},
    ],
    ids=str,
)
def test_an_option_that_is_wrong_is_told_above_the_function(options):
    with pytest.raises(ConfigError, match=next(iter(options))):
        resumable(**options)
