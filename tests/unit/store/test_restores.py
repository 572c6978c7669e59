"""The file `restores`: who restored what, who lived, and what nobody can read."""

from __future__ import annotations

import json
import logging
import os
import time

import pytest
from crash.disk import FailsAt, in_child, save, which_state

from resume.errors import IntegrityError, Preempted, StoreError
from resume.interpreter import FORK_LOOKS_LAST
from resume.store import Store, is_death, restores
from resume.store.files import Disk
from resume.store.restores import DEATHS, NAME, Restores

PATIENCE_S = 60.0


@pytest.fixture
def store(tmp_path):
    with_three = Store(tmp_path, "x", fsync=False)
    parent = None
    for k in (1, 2, 3):
        parent = save(with_three, k, parent)
    yield with_three
    with_three.unlock()


def restored(store: Store, program: str = "code") -> int:
    """Restore what is best now, as an engine does; the number of the generation."""
    deaths = store.restores.deaths(program)
    found = store.read_best(
        rather_not={one for one, count in deaths.items() if count >= DEATHS},
        before=lambda manifest: store.restores.begin(manifest, program),
    )
    assert found is not None
    return which_state(found[1])


def die_behind(store: Store, *, times: int = 1, program: str = "code") -> None:
    """Let other processes restore, and end without a word; this one dies, too, if it has."""
    store.unlock(died=True)
    for _ in range(times):
        assert in_child(lambda: _restore_in_child(store, program)) == 9


def _restore_in_child(store: Store, program: str) -> None:
    own = Store(store.folder, store.name, fsync=False)
    own.lock()
    restored(own, program)
    os._exit(9)


def told(store: Store) -> list[str]:
    path = store.place / NAME
    return path.read_text().splitlines() if path.exists() else []


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@needs_fork
def test_the_third_death_makes_a_generation_the_last_choice(store):
    """After two it is still the best; what died of it stays, and is the best where no other is."""
    die_behind(store, times=DEATHS - 1)
    assert restored(store) == 3

    store.unlock(died=True)
    assert restored(store) == 2
    die_behind(store, times=DEATHS - 1)

    assert restored(store) == 1
    assert [one.number for one in store.entries()] == [3, 2, 1]


@needs_fork
def test_where_all_have_killed_the_newest_is_the_best(store):
    die_behind(store, times=3 * DEATHS)

    assert restored(store) == 3


@needs_fork
def test_a_damaged_one_is_no_way_out(store):
    """It is passed over as ever; the one that kills is better than none."""
    for number in (1, 2):
        (store.place / f"0000000{number}.ckpt.manifest.json").write_text("{")
    die_behind(store, times=DEATHS)

    assert restored(store) == 3
    os.truncate(store.place / store.manifest(3).body.name, 10)
    with pytest.raises(IntegrityError, match="no generation of 'x'"):
        restored(store)


@needs_fork
def test_who_lives_takes_all_deaths_back(store, monkeypatch):
    """One run that lives long enough shows that the generation does not kill by itself."""
    die_behind(store, times=DEATHS - 1)
    monkeypatch.setattr(restores, "SURVIVED_S", 0.01)

    restored(store)
    _wait_for(lambda: "survived" in told(store)[-1])

    assert store.restores.deaths("code") == {}
    store.unlock(died=True)
    assert store.restores.deaths("code") == {}


def _wait_for(is_there) -> None:
    until = time.monotonic() + PATIENCE_S
    while not is_there():
        assert time.monotonic() < until
        time.sleep(0.005)


@needs_fork
def test_a_good_end_takes_all_deaths_back(store):
    die_behind(store, times=DEATHS - 1)

    restored(store)
    store.unlock()

    assert store.restores.deaths("code") == {}


@needs_fork
def test_a_bad_end_is_a_death(store):
    die_behind(store, times=DEATHS - 1)

    restored(store)
    store.unlock(died=True)

    assert list(store.restores.deaths("code").values()) == [DEATHS]


def test_many_tries_of_one_process_are_one_death(store):
    """A program that catches the error and tries again has not died."""
    for _ in range(2 * DEATHS):
        assert restored(store) == 3
        store.unlock(died=True)
        store.lock()

    assert len(told(store)) == 1


@needs_fork
def test_other_code_has_not_died_yet(store):
    """Who mends the program finds the newest generation again."""
    die_behind(store, times=DEATHS)

    assert restored(store, "mended") == 3
    assert restored(store) == 2


@needs_fork
def test_a_save_removes_the_file(store):
    """Also where it is not the program's first thing: the next one goes on from there."""
    die_behind(store, times=DEATHS)
    restored(store)

    last = save(store, 4, store.manifest(2))

    assert not (store.place / NAME).exists()
    assert last.ancestors == (2, 1)
    assert [one.number for one in store.entries() if not one.live] == [3]
    assert restored(store) == 4


def test_a_result_is_not_noted(store):
    """Nothing goes on from it; and a cache must not write for each answer."""
    save(store, 4, store.manifest(3), complete=True)

    assert restored(store) == 4

    assert told(store) == []


def test_nothing_is_noted_for_who_only_looks(store):
    store.read_best()

    assert told(store) == []


@needs_fork
@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"\xff\xfe\x00",
        b'{"generation": 3, "digest": "ab',
        b"[" * 100_000,
        b"null\n7\n[]\n{}\n",
        b'{"generation": 3}\n',
        b'{"survived": ["no digest"]}\n{"survived": {}}\n',
        b'{"generation": 3, "digest": [], "program": "code", "run": "r", "at": "now"}\n',
        b'{"generation": 3, "digest": {}, "program": [], "run": {}, "at": 1, "more": 2}\n',
    ],
)
def test_what_nobody_can_read_counts_for_nothing(store, garbage):
    """And keeps nobody from restoring; what can be read beside it still counts."""
    die_behind(store, times=DEATHS)
    lines = (store.place / NAME).read_bytes()
    (store.place / NAME).write_bytes(garbage)
    assert restored(store) == 3
    store.unlock()

    (store.place / NAME).write_bytes(garbage + b"\n" + lines)
    assert restored(store) == 2


@needs_fork
def test_what_is_no_file_of_ours_counts_for_nothing(store):
    """A folder, a pipe, something huge, something that others write to."""
    die_behind(store, times=DEATHS)
    path = store.place / NAME
    lines = path.read_bytes()
    path.chmod(0o666)
    assert store.restores.deaths("code") == {}

    path.write_bytes(lines + b"\n" * (1 << 20))
    path.chmod(0o600)
    assert store.restores.deaths("code") == {}

    path.unlink()
    os.mkfifo(path)
    assert restored(store) == 3
    store.unlock()

    path.unlink()
    path.mkdir()
    assert restored(store) == 3


def test_a_disk_that_refuses_is_no_reason_to_fail(tmp_path, caplog):
    """It is said, and whoever is killed there again and again goes on being restored."""
    first = Store(tmp_path, "x", fsync=False)
    save(first, 1, None)
    first.unlock()
    store = Store(tmp_path, "x", fsync=False, disk=FailsAt(3, 28, lasting=True))
    store.lock()

    with caplog.at_level(logging.WARNING):
        assert restored(store) == 1

    assert "cannot note in" in caplog.text
    assert "no space left" in caplog.text
    assert told(store) == []
    store.unlock()


def test_who_cannot_wait_a_minute_does_not_accuse(store, monkeypatch):
    """No thread is to be had: it is told at once that the run lives."""
    monkeypatch.setattr(restores.Delayed, "start", lambda _: False)

    restored(store)
    store.restores.end(died=True)

    assert list(store.restores.deaths("code").values()) == [1]  # by its end, it is known after all


def test_told_too_early_is_put_right_by_a_bad_end(store, monkeypatch):
    """From 3.13 on a fork ends the wait: an error within the minute is a death all the same."""
    restored(store)
    store.restores._survive()
    assert store.restores.deaths("code") == {}
    store.restores.end(died=True)
    assert list(store.restores.deaths("code").values()) == [1]

    restored(store)
    store.restores._survive()
    monkeypatch.setattr(restores, "SURVIVED_S", 0.0)
    store.restores.end(died=True)
    assert store.restores.deaths("code") == {}


def test_a_place_that_is_gone_stays_gone(store):
    """Neither the end nor the minute makes the file again."""
    restored(store)
    (store.place / NAME).unlink()

    store.restores.end(died=False)
    store.restores.end(died=False)

    assert told(store) == []


@needs_fork
def test_a_forked_child_ends_nothing(store):
    """The restore is its parent's."""
    restored(store)
    before = len(told(store))  # from 3.13 on the fork is taken for the end of the wait

    assert in_child(lambda: store.restores.end(died=False)) == 0

    assert len(told(store)) == before + FORK_LOOKS_LAST


@needs_fork
def test_the_file_does_not_grow_without_end(store):
    """So many lines of one generation are kept; the newest."""
    path = store.place / NAME
    digest = store.manifest(3).digest
    line = {"generation": 3, "digest": digest, "program": "other", "run": "", "at": "then"}
    path.write_text("".join(json.dumps(line | {"run": f"{n}"}) + "\n" for n in range(300)))

    restored(store)

    assert len(told(store)) == 100
    assert json.loads(told(store)[-1])["program"] == "code"


def test_removing_the_checkpoint_removes_it(store):
    restored(store)
    store.unlock()

    store.remove()

    assert not store.place.exists()


@pytest.mark.parametrize(
    ("made_by", "died"),
    [
        (lambda: None, False),
        (lambda: ValueError("x"), True),
        (MemoryError, True),
        (lambda: SystemExit(1), True),
        (lambda: SystemExit("text"), True),
        (SystemExit, False),
        (lambda: SystemExit(0), False),
        (Preempted, False),
        (lambda: Preempted(85), False),
        (KeyboardInterrupt, False),
        (GeneratorExit, False),
        (lambda: StoreError("full"), False),
    ],
)
def test_what_is_a_death(made_by, died):
    """A bad end of the program; not one that somebody asked for, nor one that we refused."""
    assert is_death(made_by()) is died


def test_where_nothing_was_restored_there_is_nothing(tmp_path):
    """A first save looks for no file."""
    noting = Restores(Disk(), tmp_path, fsync=True)
    assert noting.deaths("code") == {}
    noting.saved()
    assert not noting.path.exists()
