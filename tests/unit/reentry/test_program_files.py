"""Open files of a program are opened again, and stand where they stood."""

from __future__ import annotations

import csv
import io
import itertools
import os
import sys

import pytest
from pieces import load
from suspended import making, taking

from resume.pickling import DecodeProblem, decode, encode
from resume.reentry import files

WORDS = "one\ntwo\nthree\nfour\n"


def carried(*, finish: bool = True, **roots):
    """Encode and decode, files cut back unless *finish* is off."""
    piece = load("x = 1\n")
    encoded = encode(roots, look=taking(piece).look)
    assert () == encoded.skipped
    maker = making(piece)
    buffers = [memoryview(bytearray(buffer.view)) for buffer in encoded.buffers]
    values = decode(encoded.stream, buffers, own={"program": maker}).values
    if finish:
        maker.finish()
    return values


def skipped(**roots):
    piece = load("x = 1\n")
    return [skip.why for skip in encode(roots, look=taking(piece).look).skipped]


@pytest.fixture
def path(tmp_path):
    found = tmp_path / "words.txt"
    found.write_text(WORDS)
    return found


@pytest.mark.parametrize(
    "how",
    [
        {"mode": "r"},
        {"mode": "rb"},
        {"mode": "rb", "buffering": 0},
        {"mode": "r+"},
        {"mode": "r+b"},
        {"mode": "r", "encoding": "latin-1", "errors": "replace", "newline": ""},
        {"mode": "r", "newline": "\r\n"},
        {"mode": "r", "buffering": 1},
    ],
    ids=str,
)
def test_a_file_that_is_read_goes_on_at_its_place(path, how):
    path.write_text(WORDS.replace("\n", "\r\n") if how.get("newline") else WORDS, newline="")
    with open(path, **how) as file:
        first = file.readline()
        found = carried(file=file, same=[file])
        made = found["file"]
        with made:
            assert found["same"][0] is made
            assert (type(file), file.mode, file.name) == (type(made), made.mode, made.name)
            assert file.readline() == made.readline() != first
            if type(file) is io.TextIOWrapper:
                for name in ("encoding", "errors", "line_buffering"):
                    assert getattr(file, name) == getattr(made, name)
            assert file.read() == made.read()


@pytest.mark.parametrize("mode", ["w", "wb", "a", "ab", "w+", "r+", "x", "a+b", "wb0"])
def test_what_was_written_behind_the_save_is_cut_off(tmp_path, mode):
    """The rest is written once, whatever the process wrote before it died."""
    target = tmp_path / "out"
    if mode[0] in "ar":
        target.write_bytes(b"old-")
    how = {"buffering": 0} if mode.endswith("0") else {}
    mode = mode.removesuffix("0")
    give = (lambda text: text.encode()) if "b" in mode else str
    file = open(target, mode, **how)
    file.write(give("before|"))
    piece = load("x = 1\n")
    encoded = encode({"file": file}, look=taking(piece).look)
    file.write(give("lost"))
    file.close()
    expected = target.read_bytes().removesuffix(b"lost")
    maker = making(piece)

    made = decode(encoded.stream, [], own={"program": maker}).values["file"]
    assert expected + b"lost" == target.read_bytes()  # nothing is lost before all has gone well
    maker.finish()
    assert mode == made.mode or "b" in mode or "x" in mode
    with made:
        made.write(give("after"))

    assert expected + b"after" == target.read_bytes()


def test_a_place_inside_a_written_file_comes_back(tmp_path):
    target = tmp_path / "out"
    with open(target, "w+") as file:
        file.write("abcdef")
        file.seek(2)
        made = carried(file=file)["file"]
        with made:
            made.write("X")

    assert "abXdef" == target.read_text()


def test_text_with_marks_and_wide_characters_goes_on(tmp_path):
    target = tmp_path / "out"
    for encoding in ("utf-8-sig", "utf-16", "utf-8"):
        with open(target, "w", encoding=encoding) as file:
            file.write("\xe4\u20ac")
            with carried(file=file)["file"] as made:
                made.write("\U0001f600")

        assert "\xe4\u20ac\U0001f600" == target.read_text(encoding=encoding)


def test_newlines_are_written_as_before(tmp_path):
    target = tmp_path / "out"
    with open(target, "w", newline="\r\n") as file:
        file.write("a\n")
        with carried(file=file)["file"] as made:
            made.write("b\n")

    assert b"a\r\nb\r\n" == target.read_bytes()


def test_a_file_keeps_the_name_that_it_was_opened_by(path, monkeypatch):
    monkeypatch.chdir(path.parent)

    with open("words.txt") as file, carried(file=file)["file"] as made:
        assert "words.txt" == made.name


def test_the_streams_of_the_process_go_by_name():
    roots = {"streams": [sys.stdout, sys.stderr, sys.__stderr__]}

    assert [sys.stdout, sys.stderr] == carried(**roots)["streams"][:2]


def test_the_bytes_below_a_stream_go_by_name(monkeypatch):
    stream = io.TextIOWrapper(io.BufferedWriter(io.BytesIO()))
    monkeypatch.setattr(sys, "__stdout__", stream)

    assert carried(below=[stream.buffer])["below"][0] is stream.buffer


@pytest.mark.parametrize("mode", ["r", "rb"])
def test_a_closed_file_stays_closed(path, mode):
    with open(path, mode) as file:
        pass

    assert carried(file=file)["file"].closed


def test_a_pipe_cannot_be_opened_again():
    here, there = os.pipe()
    with open(here) as file, open(there, "w"):
        assert "cannot be opened again" in skipped(file=file)[0]


def test_a_file_that_is_read_through_something_else_is_told(tmp_path):
    import gzip

    with gzip.open(tmp_path / "a.gz", "wt") as file:
        file.write(WORDS)
    with gzip.open(tmp_path / "a.gz", "rt") as file:
        assert skipped(file=file)


def test_a_file_that_is_gone_or_shorter_is_told(path):
    piece = load("x = 1\n")
    with open(path, "a") as file:
        encoded = encode({"file": file}, look=taking(piece).look)
    path.write_text("o")

    with pytest.raises(DecodeProblem, match="has 1 bytes, and had 19"):
        decode(encoded.stream, [], own={"program": making(piece)})
    path.unlink()
    with pytest.raises(DecodeProblem, match="No such file"):
        decode(encoded.stream, [], own={"program": making(piece)})


# ---------------------------------------------------------------- stepped by next


@pytest.mark.parametrize("taken", [0, 1, 2, 700, 2_000, 2_999])
@pytest.mark.parametrize(
    "how",
    [
        {"encoding": "utf-8"},
        {"encoding": "utf-8", "newline": ""},
        {"encoding": "latin-1"},
        {"encoding": "cp1252", "newline": "\n"},
    ],
    ids=str,
)
def test_a_text_file_that_is_stepped_by_next_is_found_at_its_place(tmp_path, how, taken):
    """The interpreter does not tell it then; and the loop goes on behind the look, too."""
    target = tmp_path / "lines"
    lines = [f"l\xefne {n} \xe4\xf6\xfc\r\n" if n % 3 else f"{n}\n" for n in range(3_000)]
    target.write_bytes("".join(lines).encode(how["encoding"]))
    with open(target, **how) as file:
        expected = [next(file) for _ in range(taken)]
        if taken:
            with pytest.raises(OSError, match="telling"):
                file.tell()
        with carried(file=file)["file"] as made:
            assert list(itertools.islice(file, 5)) == list(itertools.islice(made, 5))
            assert list(file) == list(made)
    with open(target, **how) as file:
        assert expected == list(itertools.islice(file, taken))


def test_characters_over_the_end_of_a_piece_are_no_trouble(tmp_path):
    target = tmp_path / "lines"
    target.write_text("".join(f"{'x' * (n % 7)}\U0001f600\u20ac\n" for n in range(4_000)))

    for taken in range(500, 900, 7):
        with open(target) as file:
            for _ in range(taken):
                next(file)
            left = carried(file=file)["file"]
            with left:
                assert next(left) == next(file)


def test_an_encoding_with_a_memory_is_refused_when_stepped(tmp_path):
    target = tmp_path / "lines"
    target.write_text(WORDS, encoding="utf-16")

    with open(target, encoding="utf-16") as file:
        next(file)
        assert "does not tell where it is" in skipped(file=file)[0]


def test_a_file_that_cannot_tell_is_refused(path):
    class Silent(io.FileIO):
        def tell(self):
            raise OSError("no")

    with Silent(path) as file, pytest.raises(Exception, match="does not tell"):
        files.place_of(file)


# ---------------------------------------------------------------- csv


def test_a_csv_reader_goes_on_in_its_file(tmp_path):
    target = tmp_path / "rows.csv"
    target.write_text("name;n\n" + "".join(f"'a\n{n}';{n}\n" for n in range(2_000)))

    with open(target, newline="") as file:
        reader = csv.reader(file, delimiter=";", quotechar="'")
        head = next(reader)
        for _ in range(7):
            next(reader)
        found = carried(reader=reader, file=file)
        with found["file"]:
            assert ["name", "n"] == head
            assert reader.line_num == found["reader"].line_num
            assert next(reader) == next(found["reader"])
            assert reader.line_num == found["reader"].line_num
            assert list(reader) == list(found["reader"])


def test_rows_as_dicts_go_on_and_are_written_on(tmp_path):
    source, target = tmp_path / "rows.csv", tmp_path / "out.csv"
    source.write_text("a,b\n1,2\n3,4\n5,6\n")

    with open(source, newline="") as file, open(target, "w", newline="") as out:
        reader = csv.DictReader(file)
        writer = csv.DictWriter(out, ["a", "b"], delimiter="|")
        writer.writeheader()
        writer.writerow(next(reader))
        found = carried(reader=reader, writer=writer, out=out, file=file)
        with found["file"], found["out"]:
            for row in found["reader"]:
                found["writer"].writerow(row)

    assert b"a|b\r\n1|2\r\n3|4\r\n5|6\r\n" == target.read_bytes()
