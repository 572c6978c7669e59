"""Two runs are compared byte by byte, and the first difference is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from resume.proving.comparing import Difference, Left, difference, written_in

TITLES = ("there", "here")


@pytest.fixture
def make(tmp_path: Path):
    """Call it with a name: makes what a run of that name left."""

    def made(name: str, *, code: int = 0, stdout: bytes = b"", **files: bytes) -> Left:
        folder, log = tmp_path / name, tmp_path / f"{name}.stdout"
        folder.mkdir()
        log.write_bytes(stdout)
        for path, data in files.items():
            (folder / path).write_bytes(data)
        return Left(code, log, folder)

    return made


@pytest.fixture
def first(make):
    """Call it with two contents of one file: returns how the first difference is told."""

    def told(one: bytes, other: bytes) -> str:
        found = difference(make("one", file=one), make("other", file=other), titles=TITLES)
        assert found is not None
        return found.first

    return told


def test_the_same_is_no_difference(make):
    """Compiled modules do not count, whatever is in them."""
    left = [make(name, code=3, stdout=b"x", file=b"y" * 200_000) for name in ("one", "other")]
    (left[0].folder / "__pycache__").mkdir()
    (left[0].folder / "__pycache__" / "file").write_bytes(b"z")

    assert difference(*left, titles=TITLES) is None


def test_all_that_differs_is_named_and_the_first_is_told(make):
    """Exit code, stdout, and files: changed ones, and those that only one run left."""
    one = make("one", code=0, stdout=b"x\n", same=b"s", changed=b"a\n", mine=b"")
    other = make("other", code=1, stdout=b"y\n", same=b"s", changed=b"b\n", its=b"")

    found = difference(one, other, titles=TITLES)

    assert found == Difference(
        ("exit code", "stdout", "changed", "its", "mine"), "exit code: 0 there, 1 here"
    )


@pytest.mark.parametrize(("name", "who"), [("mine", "there"), ("its", "here")])
def test_a_file_that_only_one_run_left(make, name, who):
    pair = make("one"), make("other")
    (pair[name == "its"].folder / name).touch()

    found = difference(*pair, titles=TITLES)

    assert found == Difference((name,), f"{name} is there only {who}")


def test_a_text_is_told_by_a_short_unified_diff(first):
    """From some lines above on, however long it is; with the number of the first of them."""
    lines = [f"line {number}\n".encode() for number in range(1, 20_001)]
    other = [*lines[:15_000], b"more\n", *lines[15_000:]]

    told = first(b"".join(lines), b"".join(other)).splitlines()

    assert told[:5] == [
        "--- file, there, from line 14999 on",
        "+++ file, here",
        " line 14999",
        " line 15000",
        "+more",
    ]
    assert len(told) < 12


def test_a_text_that_is_cut_off(first):
    assert first(b"a\nb\nc\n", b"a\n").splitlines()[2:] == [" a", "-b", "-c"]


def test_a_long_line_is_told_around_the_difference(first):
    """A line may be a whole file; what is shown begins shortly before."""
    told = first(b"a\n" + b"x" * 5000 + b"1" + b"y" * 5000, b"a\n" + b"x" * 5000 + b"2")

    assert told.startswith("--- file, there, from line 2 on")
    assert "x1y" in told
    assert "x2" in told
    assert len(told) < 700


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        (b"a\n\0bcd", b"a\n\0bxd", "file, from byte 4 on: 63 64 there (6 bytes), 78 64 here (6 b"),
        (b"\xff\xfe", b"\xff", "file, from byte 1 on: fe there (2 bytes), its end here (1 bytes)"),
        (b"a\n", b"a", "file, from byte 1 on: 0a there (2 bytes), its end here (1 bytes)"),
    ],
    ids=["with a zero", "no utf-8", "a last newline"],
)
def test_what_is_no_text_is_told_by_its_first_byte(first, one, other, told):
    """So is what a diff of lines cannot show."""
    assert first(one, other).startswith(told)


def test_a_character_that_a_block_cuts_is_text(first):
    text = "ä".encode() * 40_000

    assert first(text, b"-" + text[2:] + b"\n").startswith("--- file")


def test_links_are_compared_by_where_they_lead(make):
    """To a folder as well."""
    pair = make("one", a=b"", b=b""), make("other", a=b"", b=b"")
    for left, target in zip(pair, "ab", strict=True):
        (left.folder / "file").symlink_to(target)
        (left.folder / "folder").symlink_to("..")

    found = difference(*pair, titles=TITLES)

    assert found == Difference(("file",), "file: a link to a, not b")
    (pair[1].folder / "file").unlink()
    (pair[1].folder / "file").write_bytes(b"")
    assert difference(*pair, titles=TITLES).first == "file: a link to a, not no link"


def test_what_a_run_wrote(make):
    """Made, changed, removed: what is as it was given does not count."""
    given = make("given", same=b"1", changed=b"1", gone=b"1").folder
    now = make("now", same=b"1", changed=b"2", made=b"1").folder

    assert written_in(now, given) == ["changed", "gone", "made"]
