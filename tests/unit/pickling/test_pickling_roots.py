"""Roots: names, sizes, buffers, and what cannot be saved."""

from __future__ import annotations

import os
import socket
import sys

import numpy as np
import pytest
from there_and_back import fresh

from resume.pickling import DecodeProblem, decode, encode, first_root
from resume.pickling.stream import Given


class Holder:
    pass


class Refuses:
    def __getstate__(self):
        raise ValueError("not today")


class Interrupts:
    def __init__(self, kind):
        self.kind = kind

    def __reduce__(self):
        raise self.kind


class Strict:
    def __setstate__(self, state):
        raise ValueError("older than me")


class Unread(Given):
    """Buffers whose sizes are known, and that nobody may look at."""

    def __init__(self, encoded):
        super().__init__([buffer.view for buffer in encoded.buffers])

    def __getitem__(self, index):
        raise AssertionError("a buffer is asked for")

    read_into = __getitem__


def test_the_stream_comes_in_pieces_of_bytes_and_nobody_joins_them():
    """The pieces of a megabyte are those that the pickler wrote, behind a head of their own."""
    encoded = encode({"table": {f"key-{n}": float(n) for n in range(50_000)}})

    assert all(type(part) is bytes for part in encoded.parts)
    assert 10 < len(encoded.parts)
    assert max(map(len, encoded.parts)) < 2 * 64 * 1024
    assert encoded.parts[0].startswith(b"resume-graph-1")
    assert encoded.stream == b"".join(encoded.parts)


def test_two_names_for_one_list_are_one_list_again(again):
    shared = [1]

    values = again(a=shared, b={"deep": [shared]})

    assert values["a"] is values["b"]["deep"][0]


def test_large_memory_leaves_the_stream_without_a_copy():
    """Arrays, bytes and bytearrays from 64 KiB on are lent out as they lie in memory."""
    array, text, room = np.zeros(10_000), b"x" * 100_000, bytearray(70_000)

    encoded = encode({"array": array, "text": text, "room": room, "small": np.zeros(10)})

    assert ["array", "text", "room"] == [buffer.path for buffer in encoded.buffers]
    assert ["<f8", "bytes", "bytearray"] == [buffer.kind for buffer in encoded.buffers]
    assert len(encoded.stream) < 2_000
    for source, buffer in zip((array, text, room), encoded.buffers, strict=True):
        assert np.shares_memory(
            np.frombuffer(source.tobytes() and source, np.uint8)
            if isinstance(source, np.ndarray)
            else np.frombuffer(source, np.uint8),
            np.frombuffer(buffer.view, np.uint8),
        )
        assert ("B", 1) == (buffer.view.format, buffer.view.ndim)


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 200_000])
@pytest.mark.parametrize("first", [b"\x95", b"\x80\x05\x95", b"x"])
def test_bytes_come_back_whatever_they_look_like(again, size, first):
    """Bytes that start like a frame of the stream are still the same bytes."""
    data = first + bytes(size - len(first))

    values = again(before=list(range(30_000)), data=data, text="é" * size, after=[data, 1])

    assert data == values["data"]
    assert "é" * size == values["text"]
    assert values["after"][0] is values["data"]


def test_each_root_has_its_size():
    encoded = encode({"big": np.zeros(100_000), "small": 1})

    assert ["big", "small"] == list(encoded.sizes)
    assert 800_000 < encoded.sizes["big"] < 801_000
    assert 0 < encoded.sizes["small"] < 100


def test_a_root_that_fails_is_left_out_with_the_way_to_the_culprit():
    """The others are whole, and a second failing root is found in the same pass."""
    loader = Holder()
    loader.workers = [Holder(), Holder()]
    with socket.socket() as loader.workers[1].plug, open(os.devnull) as file:
        encoded = encode({"a": [1], "loader": loader, "table": {"log": (file,)}, "b": [2]})

    assert ["loader", "table"] == [skip.name for skip in encoded.skipped]
    first, second = encoded.skipped
    assert ("loader.workers[1].plug", "socket.socket") == (first.path, first.type)
    assert "belongs to this process" in first.why
    assert "exclude=" in first.remedy
    assert "table['log'][0]" == second.path
    assert {"a": [1], "b": [2]} == decode(encoded.stream, fresh(encoded)).values


def test_what_a_failing_root_shares_is_still_saved():
    """The memo of the failed pass is thrown away: nothing refers to what is not there."""
    shared = [1, 2]
    encoded = encode({"bad": [shared, (n for n in shared)], "good": [shared, shared]})

    values = decode(encoded.stream, fresh(encoded)).values

    assert {"good": [[1, 2], [1, 2]]} == values
    assert values["good"][0] is values["good"][1]


def test_an_error_in_the_users_code_leaves_the_root_out():
    encoded = encode({"x": [Refuses()], "y": 1})

    (skip,) = encoded.skipped

    assert ("x[0]", "ValueError: not today") == (skip.path, skip.why)
    assert "Refuses" in skip.type


@pytest.mark.parametrize("kind", [KeyboardInterrupt, MemoryError, SystemExit])
def test_a_way_out_is_not_swallowed(kind):
    with pytest.raises(kind):
        encode({"x": Interrupts(kind)})


def test_known_bad_roots_are_not_tried():
    """A root that failed in the last save is left out with the reason of then."""
    encoded = encode({"x": Interrupts(AssertionError), "y": 1}, known_bad={"x": "it was a socket"})

    assert [("x", "it was a socket")] == [(skip.name, skip.why) for skip in encoded.skipped]
    assert ["y"] == list(encoded.sizes)


@pytest.mark.parametrize("anchored", [False, True])
def test_a_chain_of_100_000_links_comes_back(anchored):
    """A graph too deep for the pickler's recursion is cut into pieces."""
    chain = None
    for number in range(100_000):
        link = Holder()
        link.number, link.next = number, chain
        chain = link
    encoded = encode({"chain": chain, "top": [chain]}, anchors={"chain": chain} if anchored else {})

    values = decode(encoded.stream, fresh(encoded)).values

    link, count = values["chain"], 0
    assert values["top"][0] is link
    while link is not None:
        count += 1
        assert 100_000 - count == link.number
        link = link.next
    assert 100_000 == count


def test_tuples_too_deep_are_left_out_and_said():
    deep = ()
    for _ in range(100_000):
        deep = (deep,)

    encoded = encode({"deep": deep, "y": 1})

    (skip,) = encoded.skipped
    assert "too deeply" in skip.why
    assert "exclude=" in skip.remedy
    while deep:  # 3.11 frees a tuple by recursion of its own
        (deep,) = deep


def test_the_same_bytes_decode_twice():
    encoded = encode({"x": np.arange(20_000.0), "y": [1]})

    one, two = (decode(encoded.stream, fresh(encoded)).values for _ in range(2))

    assert np.array_equal(one["x"], two["x"])
    assert not np.shares_memory(one["x"], two["x"])


def test_a_class_that_is_gone_is_named(monkeypatch):
    encoded = encode({"model": [Holder()]})
    monkeypatch.delattr(sys.modules[__name__], "Holder")

    with pytest.raises(DecodeProblem, match=r"cannot bring back model \(.*\.Holder\)") as caught:
        decode(encoded.stream, [])

    assert "model" == caught.value.variable
    assert "add_types(rename=" in str(caught.value)


def test_a_renamed_class_is_found(monkeypatch):
    held = Holder()
    held.x = 1
    encoded = encode({"held": held})
    new = type("Renamed", (Holder,), {})
    monkeypatch.setattr(sys.modules[__name__], "Renamed", new, raising=False)

    decoded = decode(encoded.stream, [], rename={f"{__name__}.Holder": f"{__name__}.Renamed"})

    assert new is type(decoded.values["held"])
    assert 1 == decoded.values["held"].x


def test_a_refused_state_is_named():
    strict = Strict()
    strict.x = 1
    encoded = encode({"a": 1, "strict": strict})

    with pytest.raises(DecodeProblem, match="strict .*Strict.*older than me"):
        decode(encoded.stream, [])


@pytest.mark.parametrize("anchored", [False, True])
def test_stand_ins_show_what_was_saved(monkeypatch, anchored):
    """A class that is gone and one that refuses its state come back as what was in them."""
    held, strict = Holder(), Strict()
    held.x, strict.y = [1], 2
    roots = {"held": held, "strict": strict}
    encoded = encode(roots, anchors=roots if anchored else {})
    monkeypatch.delattr(sys.modules[__name__], "Holder")

    values = decode(encoded.stream, [], stand_ins=True).values

    assert [1] == values["held"].x
    assert 2 == values["strict"].y
    assert "stand-in for" in repr(values["held"])


def test_a_decode_problem_pickles():
    import pickle

    problem = pickle.loads(pickle.dumps(DecodeProblem("x", "a.B", "gone")))

    assert ("x", "a.B", "gone") == (problem.variable, problem.type, problem.why)


def test_only_our_bytes_are_read():
    with pytest.raises(ValueError, match="format"):
        decode(b"something else entirely, and long enough", [])


def test_the_first_root_is_read_without_the_rest():
    """Neither a class that is gone nor a buffer that cannot be had is in its way."""
    roots = {".first": ("a", b"b" * 40_000), "big": bytes(200_000), "other": Holder()}
    encoded = encode({**roots, "strict": Strict()}, anchors={"other": roots["other"]})
    unread = Unread(encoded)

    assert ("a", b"b" * 40_000) == first_root(encoded.stream, unread, ".first")
    assert first_root(encoded.stream, unread, "big") is None
    assert first_root(encode({}).stream, unread, ".first") is None
