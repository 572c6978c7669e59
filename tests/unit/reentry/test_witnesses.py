"""Files that were changed since the save: put back, or the program is refused."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack

import pytest
from pieces import load
from suspended import making, taking

from resume.errors import RestoreError
from resume.pickling import decode, encode
from resume.reentry import witnesses

WORDS = b"one\ntwo\nthree\nfour\n"


@pytest.fixture
def path(tmp_path):
    found = tmp_path / "words"
    found.write_bytes(WORDS)
    return found


def saved(**roots):
    """What a save takes; gives a function that restores it."""
    piece = load("x = 1\n")
    encoded = encode(roots, look=taking(piece).look)
    assert encoded.skipped == ()
    stream, buffers = encoded.stream, [bytearray(each.view) for each in encoded.buffers]

    def restored():
        maker = making(piece)
        values = decode(stream, list(map(memoryview, buffers)), own={"program": maker}).values
        maker.finish()
        return values

    return restored


def reading(path, mode="rb"):
    """A save of the file when its first line has been read."""
    with path.open(mode) as file:
        file.readline()
        return saved(file=file)


def rest_of(restored):
    with restored()["file"] as file:
        return file.read()


# -- read


@pytest.mark.parametrize("tick", [-(10**18), 10**18], ids=["old", "fresh"])
@pytest.mark.parametrize("mode", ["rb", "r"])
def test_a_file_that_is_as_it_was_is_read_on(path, mode, tick, monkeypatch):
    monkeypatch.setattr(witnesses, "_TICK_NS", tick)

    assert len(rest_of(reading(path, mode))) == len(WORDS) - 4


def test_a_file_may_have_grown(path):
    restored = reading(path)
    with path.open("ab") as file:
        file.write(b"five\n")

    assert rest_of(restored) == WORDS[4:] + b"five\n"


def test_a_file_may_have_been_written_again_as_it_was(path):
    restored = reading(path)
    path.unlink()
    path.write_bytes(WORDS)

    assert rest_of(restored) == WORDS[4:]


@pytest.mark.parametrize(
    "now",
    [WORDS.replace(b"two", b"TWO"), b"One" + WORDS[3:], WORDS[:-1] + b".", WORDS[:-1], b""],
    ids=["later", "before the place", "at its end", "shorter", "empty"],
)
def test_another_file_is_refused(path, now):
    """The text names it; and what to do."""
    restored = reading(path)
    path.write_bytes(now)

    with pytest.raises(RestoreError, match="does not hold any more what it held") as caught:
        restored()
    assert str(path) in str(caught.value)
    assert path.read_bytes() == now


def test_a_change_within_one_tick_of_the_clock_is_seen(path):
    """A file system may give both the same time."""
    for _ in range(300):
        path.write_bytes(WORDS)
        with path.open("rb") as file:
            before = witnesses.witness(file.fileno(), is_changing=False)
            path.write_bytes(WORDS.upper())
            assert not witnesses.is_same(file.fileno(), before, is_changing=False)


def reads_of(call):
    """How often *call* has the system read from a file."""
    found = []
    before = sys.getprofile()
    sys.setprofile(lambda _frame, event, what: found.append(what) if event == "c_call" else None)
    try:
        call()
    finally:
        sys.setprofile(before)
    return sum(each is os.pread for each in found)


def test_a_file_that_stays_as_it_is_is_read_once(path, monkeypatch):
    """However often it is saved."""
    monkeypatch.setattr(witnesses, "_TICK_NS", -(10**18))  # it is old enough
    with path.open("rb") as file:

        def look():
            return witnesses.witness(file.fileno(), is_changing=False)

        before = look()
        assert reads_of(look) == 0
        assert look() == before

        path.write_bytes(WORDS.upper())

        assert reads_of(look) == 1
        assert look()[2] != before[2]


def test_not_all_files_that_were_ever_open_are_remembered(tmp_path, monkeypatch):
    monkeypatch.setattr(witnesses, "_TICK_NS", -(10**18))
    monkeypatch.setattr(witnesses, "_MOST_KNOWN", 3)
    monkeypatch.setattr(witnesses, "_known", {})
    for number in range(10):
        path = tmp_path / str(number)
        path.write_bytes(WORDS)
        with path.open("rb") as file:
            witnesses.witness(file.fileno(), is_changing=False)

    assert 0 < len(witnesses._known) <= 3


@pytest.mark.parametrize("place", [0, 5_000_000])
def test_of_a_large_file_the_first_and_the_last_part_are_looked_at(tmp_path, monkeypatch, place):
    monkeypatch.setattr(witnesses, "WHOLE_BYTES", 1 << 21)
    path = tmp_path / "large"
    path.write_bytes(bytes(5_000_001))
    same, changed = reading(path), reading(path)
    with path.open("ab") as file:
        file.write(b"more")
    assert rest_of(same) == b"more"

    with path.open("r+b") as file:
        file.seek(place)
        file.write(b"x")

    with pytest.raises(RestoreError):
        changed()


# -- changed


@pytest.mark.parametrize("mode", ["r+b", "r+", "rb+0"])
@pytest.mark.parametrize(
    "now", [WORDS.upper(), b"", WORDS * 2, b"\xff" * 30], ids=["same size", "none", "more", "bytes"]
)
def test_what_was_changed_in_place_is_put_back(path, mode, now):
    """The change is made once, where the program comes by it again."""
    how = {"buffering": 0} if mode.endswith("0") else {}
    with path.open(mode.strip("0"), **how) as file:
        first = file.readline()
        place = file.tell()
        restored = saved(file=file)
    path.write_bytes(now)

    with restored()["file"] as file:
        assert file.tell() == place
        assert path.read_bytes() == WORDS
        rest = file.read()
        file.write(first)

    assert rest == (WORDS[4:] if "b" in mode else WORDS[4:].decode())
    assert path.read_bytes() == WORDS + b"one\n"


def test_text_in_the_middle_of_a_decoder_is_put_back(path):
    """Its place can be taken only when the bytes before it are there."""
    path.write_bytes("\ufeffäöü\nßßß\n".encode("utf-16-le"))
    with path.open("r+", encoding="utf-16") as file:
        file.read(2)
        restored = saved(file=file)
    path.write_bytes(b"")

    with restored()["file"] as file:
        assert file.read() == "ü\nßßß\n"


def test_a_large_file_that_is_changed_in_place_is_refused(path, monkeypatch):
    """It is not in the state; what was appended to it can be cut off."""
    monkeypatch.setattr(witnesses, "KEPT_BYTES", 4)
    with path.open("r+b") as file:
        file.readline()
        restored, again = saved(file=file), saved(file=file)
        file.seek(0, os.SEEK_END)
        file.write(b"five\n")
    assert rest_of(restored) == WORDS[4:]
    assert path.read_bytes() == WORDS

    with path.open("r+b") as file:
        file.write(b"O")
    with pytest.raises(RestoreError):
        again()


@pytest.mark.parametrize("mode", ["a", "a+b", "w"])
def test_what_is_only_appended_to_is_not_looked_at(path, mode, monkeypatch):
    monkeypatch.setattr(witnesses, "KEPT_BYTES", 4)
    with path.open(mode) as file:
        restored = saved(file=file)
        before = path.read_bytes()
        file.write("more" if "b" not in mode else b"more")

    restored()["file"].close()

    assert path.read_bytes() == before


@pytest.mark.parametrize("order", [("rb", "r+b"), ("r+b", "rb")])
def test_a_file_that_another_of_them_puts_back_is_not_refused(path, order):
    with ExitStack() as stack:
        files = [stack.enter_context(path.open(mode)) for mode in order]
        restored = saved(files=files)
    path.write_bytes(WORDS.upper())

    for file in restored()["files"]:
        assert file.read() == WORDS
        file.close()
