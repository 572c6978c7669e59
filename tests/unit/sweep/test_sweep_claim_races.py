"""Several that find one dead claim at the same moment: one of them gets it, whoever comes when.

One takes, and before each of its calls of the system others take, whole: every moment between a
look and what is done about it is tried, in every order of two intruders.
"""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import combinations_with_replacement
from pathlib import Path

import pytest

from resume.errors import CheckpointBusyError
from resume.store import claim_files, lock
from resume.store.files import Disk
from resume.sweep.claims import Claims

SYSTEM = frozenset({"posix", "nt", "_io", "io"})
"""Modules whose functions are calls of the system."""


@contextmanager
def before_each_call(act: Callable[[], None]) -> Iterator[None]:
    """Have *act* called before each call of the system that is made inside."""

    def look(_frame, event, function):
        if event == "c_call" and getattr(function, "__module__", None) in SYSTEM:
            act()

    before = sys.getprofile()
    sys.setprofile(look)
    try:
        yield
    finally:
        sys.setprofile(before)


class Intruders:
    """Each of *acts* is called once, before the call with the number that stands at its place."""

    def __init__(self, numbers: tuple[int, ...], acts: list[Callable[[], None]]) -> None:
        self.calls = 0
        self._acts = list(zip(numbers, acts, strict=True))

    def __call__(self) -> None:
        for number, act in self._acts:
            if number == self.calls:
                act()
        self.calls += 1


def dead_process() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        return child.pid


def record_of(pid: int) -> str:
    return json.dumps({"host": socket.gethostname(), "pid": pid, "since": time.time()})


def orders(calls: int) -> Iterator[tuple[int, int]]:
    """Every pair of moments for two that come in between."""
    return combinations_with_replacement(range(calls), 2)


class Sweeps:
    """Three launches of one sweep, and an item that a dead one had claimed."""

    def __init__(self, folder: Path, dead: int) -> None:
        self.path = folder / "claims"
        self._launches = [Claims(self.path) for _ in range(3)]
        self._record = record_of(dead)
        for one in self._launches:
            one.take(str(id(one)))  # its thread and its folder are there

    def leave(self, age_s: float = 0.0) -> None:
        path = self._launches[0].path_of("a")
        path.write_text("" if age_s else self._record)
        os.utime(path, (time.time() - age_s,) * 2)

    def take(self, which: int) -> bool:
        return self._launches[which].take("a")

    def give_back(self) -> None:
        for one in self._launches:
            one.give_back("a")

    def close(self) -> None:
        for one in self._launches:
            one.close()


class Stores:
    """Three that save to one place on a disk without locks, which a dead one had claimed."""

    def __init__(self, folder: Path, dead: int) -> None:
        self.path = folder / "place"
        self.path.mkdir()
        self._record = record_of(dead)
        self._holds: list[lock._ClaimHold] = []

    def leave(self, age_s: float = 0.0) -> None:
        path = self.path / lock.CLAIM_NAME
        path.write_text("" if age_s else self._record)
        os.utime(path, (time.time() - age_s,) * 2)

    def take(self, _which: int) -> bool:
        try:
            self._holds.append(lock._ClaimHold.take(self.path, "name", Disk()))
        except CheckpointBusyError:
            return False
        return True

    def give_back(self) -> None:
        while self._holds:
            self._holds.pop().release()

    def close(self) -> None:
        self.give_back()


@pytest.mark.parametrize("age_s", [0.0, 1000.0], ids=["dead", "silent"])
@pytest.mark.parametrize("kind", [Sweeps, Stores])
@pytest.mark.timeout(120)
def test_of_three_that_find_one_dead_claim_one_gets_it(tmp_path, kind, age_s):
    """Whenever the second and the third come; and the claim file is that one's."""
    racers = kind(tmp_path, dead_process())
    counted = Intruders((), [])
    racers.leave(age_s)
    with before_each_call(counted):
        assert racers.take(0)
    racers.give_back()
    assert counted.calls > 10

    wrong = []
    for moments in orders(counted.calls):
        racers.leave(age_s)
        got = []
        others = [lambda which=which: got.append(racers.take(which)) for which in (1, 2)]
        with before_each_call(Intruders(moments, others)):
            got.append(racers.take(0))
        if sum(got) != 1:
            wrong.append((moments, got))
        racers.give_back()
        assert not [path for path in racers.path.iterdir() if path.name.endswith(".over")]

    assert wrong == []
    racers.close()


def test_the_guards_of_those_that_died_over_it_are_in_nobodys_way(tmp_path):
    """One died while it removed a dead claim, and another while it removed that one's guard."""
    dead = dead_process()
    racers = Sweeps(tmp_path, dead)
    path = racers._launches[0].path_of("a")
    guards = [path.with_name(f"{path.name}{'.over' * times}") for times in (1, 2)]
    for count in (1, 2):
        for guard in guards[:count]:
            guard.write_text(record_of(dead))
        racers.leave()

        assert racers.take(0)
        assert not racers.take(1)
        assert not any(guard.exists() for guard in guards)
        racers.give_back()

    guards[0].write_text(record_of(dead))  # it had removed the claim already
    assert racers.take(0)
    racers.close()
    assert not racers.path.exists()


def test_who_is_just_removing_a_dead_claim_is_not_disturbed(tmp_path):
    """Until it is done, or dead."""
    racers = Sweeps(tmp_path, dead_process())
    racers.leave()
    path = racers._launches[0].path_of("a")
    guard = path.with_name(f"{path.name}.over")
    guard.write_text(record_of(os.getpid()))

    assert not racers.take(0)
    assert guard.exists()
    guard.unlink()
    assert racers.take(0)
    racers.close()


class RefusedPath(type(Path())):  # type: ignore[misc]
    """A file that cannot be opened, as `errno` tells."""

    errno = 0

    def open(self, *arguments, **options):
        if self.name == "claim":
            raise OSError(self.errno, os.strerror(self.errno), str(self))
        return super().open(*arguments, **options)


@pytest.mark.parametrize(
    ("number", "age_s", "stays"),
    [
        (errno.EACCES, 0, True),  # another user's
        (errno.EACCES, 1000, False),
        (errno.ESTALE, 1000, True),  # removed on another machine while it was looked at
        (errno.ENOENT, 1000, True),
    ],
)
def test_a_claim_that_cannot_be_read_counts_while_it_is_touched(tmp_path, number, age_s, stays):
    fresh, path = tmp_path / "fresh", RefusedPath(tmp_path / "claim")
    path.errno = number
    fresh.touch()
    path.touch()
    os.utime(path, (time.time() - age_s,) * 2)

    claim_files.clear_stale(path, fresh, Disk())

    assert (tmp_path / "claim").exists() == stays


def test_a_disk_that_refuses_to_show_a_claim_is_told(tmp_path):
    path = RefusedPath(tmp_path / "claim")
    path.errno = errno.EIO

    with pytest.raises(OSError, match="claim"):
        claim_files.clear_stale(path, tmp_path, Disk())


ROUNDS = 100
RACERS = 6


def race(which, folder, dead, barrier, got):
    """In a process of its own: take over what is dead, again and again."""
    claims = Claims(folder)
    path = claims.path_of("a")
    claims.take(str(which))
    rng = random.Random(which)
    for round_ in range(ROUNDS):
        if which == 0:
            path.write_text(record_of(dead))
        barrier.wait(60)
        with before_each_call(lambda: time.sleep(rng.random() / 1000)):
            got[round_ * RACERS + which] = is_ours = claims.take("a")
        barrier.wait(60)
        if is_ours:
            claims.give_back("a")
            path.unlink(missing_ok=True)
        barrier.wait(60)
    claims.close()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_of_many_processes_that_take_over_at_once_one_gets_it(tmp_path):
    """As often as it is tried. They meet before each, and none knows when it gets on."""
    context = multiprocessing.get_context("spawn")
    barrier, got = context.Barrier(RACERS), context.Array("b", ROUNDS * RACERS)
    dead = dead_process()
    racers = [
        context.Process(target=race, args=(which, tmp_path / "claims", dead, barrier, got))
        for which in range(RACERS)
    ]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()

    assert [racer.exitcode for racer in racers] == [0] * RACERS
    holders = [sum(got[start : start + RACERS]) for start in range(0, ROUNDS * RACERS, RACERS)]
    assert holders == [1] * ROUNDS
    assert not (tmp_path / "claims").exists()
