"""How far standard input was read is told, and it is read on from there: files and pipes."""

from __future__ import annotations

import csv
import fileinput
import io
import itertools
import json
import os
import socket
import sys
import threading

import pytest

from resume.errors import RestoreError, UnpicklableError
from resume.reentry import standard_input

LINES = "".join(f"line {number},ä\n" for number in range(3000))


@pytest.fixture
def given(monkeypatch):
    """A function that gives this process another standard input, and begins."""
    kept = os.dup(0)
    open_ends = []

    def give(data, kind="pipe", *, encoding="utf-8"):
        data = data.encode(encoding) if isinstance(data, str) else data
        if kind == "file":
            reading = os.memfd_create("input")
            os.pwrite(reading, data, 0)
        else:
            reading, writing = os.pipe() if kind == "pipe" else _sockets()
            writer = threading.Thread(target=_write, args=(writing, data))
            writer.start()
            open_ends.append(writer)
        os.dup2(reading, 0)
        os.close(reading)
        raw = io.FileIO(0, closefd=False)
        raw.name = "<stdin>"
        made = io.TextIOWrapper(io.BufferedReader(raw), encoding, newline="\n")
        made.mode = "r"
        monkeypatch.setattr(sys, "__stdin__", made)
        monkeypatch.setattr(sys, "stdin", made)
        standard_input.begin()
        return made

    yield give
    os.dup2(kept, 0)
    os.close(kept)
    standard_input.end()
    for writer in open_ends:
        writer.join()


def _sockets():
    one, other = socket.socketpair()
    return one.detach(), other.detach()


def _write(end, data):
    try:
        while data:
            data = data[os.write(end, data[:5000]) :]
    except OSError:
        pass  # nobody reads on
    os.close(end)


def rest(stdin, how):
    return stdin.buffer.read() if "bytes" in how else stdin.read()


def carried():
    return json.loads(json.dumps(standard_input.mark()))


def _by_fileinput(stdin):
    with fileinput.input(files="-") as lines:
        for _ in itertools.islice(lines, 7):
            pass


READING = {
    "nothing": lambda stdin: None,
    "a line": lambda stdin: stdin.readline(),
    "many lines": lambda stdin: [stdin.readline() for _ in range(1500)],
    "some characters": lambda stdin: stdin.read(8),
    "many characters": lambda stdin: stdin.read(20_001),
    "input": lambda stdin: [input() for _ in range(3)],
    "steps": lambda stdin: [next(stdin) for _ in range(900)],
    "a step": lambda stdin: next(stdin),
    "a csv reader": lambda stdin: next(csv.reader(stdin)),
    "fileinput": _by_fileinput,
    "a loop": lambda stdin: next(line for line in stdin if "2000" in line),
    "bytes": lambda stdin: stdin.buffer.read(7),
    "many bytes": lambda stdin: stdin.buffer.read(20_000),
    "lines of bytes": lambda stdin: [stdin.buffer.readline() for _ in range(4)],
    "a look ahead": lambda stdin: stdin.buffer.peek(),
    "all": lambda stdin: stdin.read(),
    "all lines": lambda stdin: stdin.readlines(),
}


@pytest.mark.parametrize("kind", ["file", "pipe", "socket"])
@pytest.mark.parametrize("how", READING)
def test_what_is_left_is_read_on(given, how, kind):
    """The run that is saved reads it on, and so does each rerun."""
    stdin = given(LINES, kind)
    READING[how](stdin)
    known = carried()
    again = carried()
    left = rest(stdin, how)

    found = []
    for _ in range(2):
        stdin = given(LINES, kind)
        standard_input.go_on(known)
        known = carried()
        found.append(rest(stdin, how))

    assert found == [left, left]
    assert known == again
    assert (known is None) == (how in ("nothing", "a look ahead"))


@pytest.mark.parametrize("kinds", [("file", "pipe"), ("pipe", "file")], ids=" then ".join)
def test_a_file_and_a_pipe_of_the_same_are_the_same(given, kinds):
    stdin = given(LINES, kinds[0])
    stdin.readline()
    known = carried()
    stdin = given(LINES, kinds[1])

    standard_input.go_on(known)

    assert stdin.readline() == "line 1,ä\n"


@pytest.mark.parametrize("kind", ["file", "pipe"])
@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-8-sig"])
def test_text_in_other_encodings(given, kind, encoding):
    stdin = given(LINES, kind, encoding=encoding)
    begun = [stdin.readline() for _ in range(700)]
    known = carried()
    stdin = given(LINES, kind, encoding=encoding)

    standard_input.go_on(known)

    assert "".join(begun) + stdin.read() == LINES


@pytest.mark.parametrize("kind", ["file", "pipe"])
def test_steps_in_an_encoding_that_does_not_tell(given, kind):
    """It is refused before anything is lost."""
    stdin = given(LINES, kind, encoding="utf-16")
    first = next(stdin)

    with pytest.raises(UnpicklableError, match=r"how far standard input was read.*by next\(\)"):
        standard_input.mark()

    assert LINES == first + "".join(stdin)


def test_half_of_a_character_has_come(given):
    """The next piece brings the other half: it is neither lost nor an error."""
    reading, writing = os.pipe()
    stdin = given("")
    os.dup2(reading, 0)
    os.close(reading)
    os.write(writing, "one\ntwö".encode()[:-1])
    first = next(stdin)
    known = carried()
    os.write(writing, "ö\nthree".encode()[1:])
    os.close(writing)

    assert [first, known["count"], stdin.read()] == ["one\n", 4, "twö\nthree"]


@pytest.mark.parametrize("kind", ["file", "pipe"])
@pytest.mark.parametrize(
    ("other", "told"),
    [("l", "shorter"), ("LINE 0\n" + LINES, "another"), (LINES[:4000] + LINES, "another")],
    ids=["shorter", "other at its begin", "other later"],
)
def test_another_input_is_refused(given, kind, other, told):
    stdin = given(LINES, kind)
    stdin.read(20_000)
    known = carried()
    given(other, kind)

    with pytest.raises(RestoreError, match=rf"bytes of its standard input, which is {told} now"):
        standard_input.go_on(known)


@pytest.mark.parametrize("kind", ["file", "pipe"])
def test_another_input_is_told_where_all_was_read(given, kind, caplog):
    stdin = given(LINES, kind)
    stdin.read()
    known = carried()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    standard_input.begin()

    standard_input.go_on(known)

    assert known["ended"]
    assert "which the program had read to its end, is no file and no pipe now" in caplog.text


def test_a_file_that_was_begun_by_others(given):
    """What the shell has read of it counts for nothing."""
    stdin = given(LINES, "file")
    os.lseek(0, 6, os.SEEK_SET)
    standard_input.begin()
    untouched = carried()
    first = stdin.readline()
    known = carried()
    stdin = given("a\n" + LINES[6:], "file")
    os.lseek(0, 2, os.SEEK_SET)
    standard_input.begin()

    standard_input.go_on(known)

    assert [untouched, first, known["count"]] == [None, ",ä\n", 4]
    assert stdin.readline() == "line 1,ä\n"


def test_a_closed_input_is_closed_again(given, monkeypatch):
    stdin = given(LINES)
    stdin.close()
    known = carried()
    again = given(LINES)

    standard_input.go_on(known)

    assert again.closed
    monkeypatch.setattr(sys, "__stdin__", None)
    standard_input.go_on(known)
    assert carried() == known


def test_an_input_that_was_taken_apart_is_refused(given):
    given(LINES).detach()

    with pytest.raises(UnpicklableError, match="cannot save how far standard input was read"):
        standard_input.mark()


def test_no_input_is_no_matter(given, monkeypatch):
    given(LINES)
    monkeypatch.setattr(sys, "__stdin__", None)

    standard_input.begin()

    assert carried() is None
    standard_input.go_on(None)


def test_an_input_that_somebody_has_put_there_is_left_alone(given, monkeypatch):
    """A text in place of the pipe is nothing that could be counted."""
    given(LINES)
    monkeypatch.setattr(sys, "__stdin__", io.StringIO("word"))

    standard_input.begin()

    assert carried() is None


def test_a_pipe_looks_as_before(given):
    """Names, answers and errors are those of the file that was there."""
    reading, writing = os.pipe()
    with open(reading, "rb") as plain, open(writing, "wb", buffering=0) as end:
        stdin = given(b"")
        raw = stdin.buffer.raw
        end.write(b"12345678" * 3)

        assert [raw.seekable(), raw.isatty(), raw.name, raw.mode] == [
            *(False, False, "<stdin>", plain.raw.mode),
        ]
        assert repr(raw) == "<_io.FileIO name='<stdin>' mode='rb' closefd=False>"
        assert "_io.FileIO" == f"{type(raw).__module__}.{type(raw).__qualname__}"
        for act in (stdin.tell, stdin.buffer.tell, raw.tell):
            with pytest.raises(OSError, match="seek"):
                act()
        for act in (stdin.seek, stdin.buffer.seek, raw.seek):
            with pytest.raises(OSError, match="seek"):
                act(0)
        assert stdin.buffer.read() == b""


def test_the_file_below_a_pipe_reads_as_others_do(given):
    raw = given(b"0123456789abcdef").buffer.raw

    assert [raw.read(3), raw.read(0), raw.readall()] == [b"012", b"", b"3456789abcdef"]
    assert [raw.read(), raw.read(2), raw.read(None)] == [b"", b"", b""]


def test_a_pipe_that_would_block(given):
    reading, writing = os.pipe()
    raw = given(b"").buffer.raw
    os.dup2(reading, 0)
    os.set_blocking(0, False)

    assert [raw.read(3), raw.readall()] == [None, None]

    os.close(reading)
    os.close(writing)


def test_bytes_are_given_again_in_pieces(given):
    """What a save has taken back is read before anything new."""
    stdin = given(LINES)
    first = next(stdin)
    carried()

    raw = stdin.buffer.raw
    some = raw.read(5) + raw.read(4) + raw.readall()

    assert first.encode() + some == LINES.encode()


def test_a_place_that_is_long_gone(given):
    stdin = given(LINES * 9)
    stdin.read()
    raw = stdin.buffer.raw

    with raw._told(dry=True), pytest.raises(OSError, match="too far back"):
        raw.seek(3)
