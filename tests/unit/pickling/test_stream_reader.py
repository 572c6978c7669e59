"""The file that the C unpickler reads: the stream with its buffers at their places."""

from __future__ import annotations

import pickle

from resume.pickling.stream import Given, Reader


def reader(body, splices=(), buffers=()):
    return Reader(memoryview(body), splices, Given([memoryview(bytearray(b)) for b in buffers]))


class Counting(Reader):
    reads = 0

    def read(self, size=-1):
        self.reads += 1
        return super().read(size)


def test_what_was_peeked_is_read_again():
    """A look ahead takes nothing away, and gives no more than was asked for."""
    file = reader(b"abcdef")

    assert bytes(file.peek(4)) == b"abcd"
    assert file.read(2) == b"ab"
    assert bytes(file.peek(100)) == b"cdef"
    assert file.read() == b"cdef"
    assert bytes(file.peek(4)) == b""


def test_no_buffer_is_asked_for_by_a_look_ahead():
    """A buffer is large, and belongs right where the unpickler wants it."""
    file = reader(b"abcdef", [(3, 0)], [b"BUFFER"])

    assert bytes(file.peek(10)) == b"abc"
    assert file.read(3) == b"abc"
    assert bytes(file.peek(10)) == b""
    target = bytearray(6)
    assert file.readinto(target) == 6
    assert target == b"BUFFER"
    assert bytes(file.peek(10)) == b"def"


def test_what_was_put_before_comes_first():
    """The prologue is a piece of its own."""
    file = reader(b"def")
    file.put_before(b"abc")

    assert bytes(file.peek(10)) == b"abc"
    assert file.read() == b"abcdef"


def test_the_unpickler_looks_ahead():
    """It does not come three times for each frame of 64 KiB."""
    items = [(f"{row:020}", float(row)) for row in range(20_000)]
    body = pickle.dumps(items, 5)
    file = Counting(memoryview(body), [], Given([]))

    assert pickle.Unpickler(file).load() == items
    assert file.reads < len(body) / 32768


def test_long_items_across_a_buffer():
    """A large buffer between small things: all come back."""
    large = bytes(range(256)) * 1024
    body = pickle.dumps([b"before", bytearray(large), b"after" * 100], 5)
    place = body.index(large)
    file = reader(body[:place] + body[place + len(large) :], [(place, 0)], [large])

    assert pickle.Unpickler(file).load() == [b"before", bytearray(large), b"after" * 100]
