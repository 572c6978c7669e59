"""The lines of a sweep's log: each checked, each chained to the one before."""

from __future__ import annotations

import json

import pytest
from xxhash import xxh3_64_hexdigest

from resume.sweep import lines
from resume.sweep.lines import TAIL, DamagedLineError, Head

HEAD = Head("grid", "5d00112233445566", 3, 1732300000.5)
ODD_KEYS = [
    "plain",
    "",
    'quo"te',
    'ends in quote"',
    "back\\slash",
    "ends in backslash\\",
    'a",',
    'a","result":1,"',
    "new\nline",
    "ümlaut ✓ \U0001f600",
    "\ud800 lone surrogate",
    "\x00",
]


def log_of(*fields):
    """A log whose lines say *fields*."""
    out = [lines.encode_head(HEAD)]
    for one in fields:
        out.append(lines.encode_line(one, lines.digest_of(out[-1])))
    return out


def read(log):
    data = b"".join(log)
    return lines.read_lines(data[len(log[0]) - TAIL :], len(log[0]) - TAIL)


def test_every_line_is_json_that_ends_in_its_digest():
    """Line-wise tools read the log, and can check it by the rule in the specification."""
    log = log_of({"key": "a", "result": [1, {"b": None}]}, {"key": "b", "result": "x"})

    whole = b"".join(log)
    before = 0
    for line in log:
        end = whole.index(line) + len(line) - TAIL
        told = json.loads(line)["digest"]
        assert line.endswith(b'"digest":"%s"}\n' % told.encode())
        assert xxh3_64_hexdigest(whole[before:end]) == told
        before = end
    assert json.loads(log[1])["result"] == [1, {"b": None}]


@pytest.mark.parametrize("key", ODD_KEYS, ids=ascii)
def test_a_key_is_read_back_whatever_it_holds(key):
    """What JSON has to escape is no part of the format."""
    log = log_of({"key": key, "result": 1}, {"key": "next", "error": {}})

    found = read(log)

    assert found.keys == [key, "next"]
    assert found.kinds == ["r", "e"]
    assert found.starts == [len(log[0]), len(log[0]) + len(log[1])]


def test_each_kind_is_told_from_the_others():
    """By letters of its name."""
    kinds = ("result", "pickle", "stored", "error", "killed", "retry")

    found = read(log_of(*({"key": "k", kind: 1} for kind in kinds)))

    assert "".join(found.kinds) == "rpsekt"


def test_no_flipped_bit_goes_unseen():
    """Any one bit, anywhere behind the head, is found; what is named is its line or the next."""
    log = log_of(*({"key": f"item {n}", "result": n} for n in range(3)))
    data = b"".join(log)
    start = len(log[0])
    ends = [len(b"".join(log[: n + 1])) for n in range(1, 4)]

    for at in range(start, len(data) - 1):
        for bit in range(8):
            copy = bytearray(data)
            copy[at] ^= 1 << bit
            with pytest.raises(DamagedLineError) as told:
                lines.read_lines(bytes(copy[start - TAIL :]), 0)
            line = sum(at >= end for end in ends)
            assert told.value.args[0] in (line, line + 1)


@pytest.mark.parametrize("harm", ["removed", "doubled", "swapped", "from another log"])
def test_no_line_is_moved_unseen(harm):
    """The chain holds the lines in their order, and to their log."""
    log = log_of(*({"key": f"item {n}", "result": n} for n in range(4)))
    other = log_of({"key": "item 9", "result": 9}, {"key": "item 1", "result": 7})
    changed = {
        "removed": [*log[:2], *log[3:]],
        "doubled": [*log[:3], *log[2:]],
        "swapped": [log[0], log[1], log[3], log[2], log[4]],
        "from another log": [*log[:2], other[2], *log[3:]],
    }[harm]

    with pytest.raises(DamagedLineError):
        read(changed)


def test_one_line_is_checked_by_itself():
    """With the end of the one before, as a look at one result reads it."""
    log = log_of({"key": "a", "result": 0.25}, {"key": "b", "result": 2})

    assert lines.decode_line(log[2], log[1][-TAIL:])["result"] == 2
    with pytest.raises(DamagedLineError):
        lines.decode_line(log[2].replace(b"2,", b"3,"), log[1][-TAIL:])
    with pytest.raises(DamagedLineError):
        lines.decode_line(log[2], log[0][-TAIL:])


def test_a_head_tells_its_log():
    assert lines.decode_head(lines.encode_head(HEAD)) == (1, HEAD)


def test_a_head_from_the_future_tells_its_version():
    """What else it says is not looked at."""
    head = lines.encode_line({"sweep": 7, "other": [1]}, "")

    assert lines.decode_head(head) == (7, None)


@pytest.mark.parametrize("line", [b"", b"{}\n", b'{"sweep":1}\n', b"x" * 50 + b"\n"])
def test_what_is_no_head_is_damage(line):
    with pytest.raises(DamagedLineError):
        lines.decode_head(line)


@pytest.mark.parametrize("fields", [{"other": 1}, {"sweep": "1"}])
def test_a_whole_line_that_is_no_head_is_damage(fields):
    with pytest.raises(DamagedLineError):
        lines.decode_head(lines.encode_line(fields, ""))
