"""Standard output is cut back to where it was at the save, and nothing else is ever cut."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager

import pytest

from resume.tracked import OutputMark, cut_back, marks_of_output


@contextmanager
def opened(path, flags=os.O_WRONLY | os.O_APPEND | os.O_CREAT):
    descriptor = os.open(path, flags)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def marked(path, text: bytes) -> OutputMark:
    """The mark of a log that holds *text*, as JSON would bring it back."""
    path.write_bytes(text)
    with opened(path) as log:
        (mark,) = marks_of_output([log])
    return OutputMark.from_json(json.loads(json.dumps(mark.to_json())))


def cut(mark: OutputMark, path, flags=os.O_WRONLY | os.O_APPEND) -> list[str]:
    """Cut the file at *path*, led to by a descriptor of its own."""
    with opened(path, flags) as log:
        whys = cut_back([OutputMark(log, mark.device, mark.inode, mark.size_bytes, mark.tail)])
        os.write(log, b"+")
    return whys


@pytest.mark.parametrize("before", [b"", b"a\n", b"x" * 10_000])
def test_what_came_after_is_cut_off(tmp_path, before):
    """And the next write follows the mark, whether the file is appended to or not."""
    for flags in (os.O_WRONLY | os.O_APPEND, os.O_WRONLY, os.O_RDWR):
        log = tmp_path / "log"
        mark = marked(log, before)
        log.write_bytes(before + b"later, and lost\n")

        assert cut(mark, log, flags) == []
        assert log.read_bytes() == before + b"+"


def test_another_file_is_never_cut(tmp_path):
    """It has another identity, however long it is."""
    mark = marked(tmp_path / "log", b"a\n")
    other = tmp_path / "other"
    other.write_bytes(b"a\n and much more")

    (why,) = cut(mark, other)

    assert "another file" in why
    assert other.read_bytes() == b"a\n and much more+"


def test_a_log_that_was_emptied_is_not_filled_up(tmp_path):
    """`> log` empties it before the program begins; no zeros stand in for what is gone."""
    log = tmp_path / "log"
    mark = marked(log, b"a\nb\n")
    os.truncate(log, 0)

    (why,) = cut(mark, log)

    assert "emptied" in why
    assert ">>" in why
    assert log.read_bytes() == b"+"


def test_a_log_that_was_written_anew_is_not_cut(tmp_path):
    """The same file by its number, of other content."""
    log = tmp_path / "log"
    mark = marked(log, b"first run, first line\n")
    log.write_bytes(b"another run altogether, with a longer line\n")

    (why,) = cut(mark, log)

    assert "written anew" in why
    assert log.read_bytes().endswith(b"longer line\n+")


def test_one_mark_for_two_streams_to_one_file(tmp_path):
    """`> log 2>&1`: cut once."""
    with opened(tmp_path / "log") as one, opened(tmp_path / "log") as two:
        assert len(marks_of_output([one, two])) == 1


def test_pipes_and_closed_descriptors_have_no_mark():
    reading, writing = os.pipe()
    assert marks_of_output([writing]) == ()
    os.close(writing)
    os.close(reading)
    assert marks_of_output([writing]) == ()


def test_a_stream_that_is_closed_by_now(tmp_path):
    """A daemon closes its output: it is said, and nothing fails."""
    mark = marked(tmp_path / "log", b"a")
    with opened(tmp_path / "log") as log:
        closed = OutputMark(log, mark.device, mark.inode, 1, mark.tail)

    (why,) = cut_back([closed])

    assert "closed" in why


def test_what_is_printed_but_not_yet_written_counts(tmp_path):
    """The streams are flushed first; standard output and standard error are meant by default."""
    program = (
        "import json, sys\nfrom resume.tracked import marks_of_output\n"
        "print('line', end=''); sys.stderr.write('err')\n"
        "sizes = [(m.descriptor, m.size_bytes) for m in marks_of_output()]\n"
        "open('sizes', 'w').write(json.dumps(sizes))\n"
    )
    with (tmp_path / "out").open("wb") as out, (tmp_path / "err").open("wb") as err:
        subprocess.run(
            [sys.executable, "-c", program], stdout=out, stderr=err, cwd=tmp_path, check=True
        )

    assert json.loads((tmp_path / "sizes").read_text()) == [[1, 4], [2, 3]]
