"""What every test here needs."""

from __future__ import annotations


def fresh(encoded):
    """The buffers of *encoded* as a store would give them: new, writable memory."""
    return [memoryview(bytearray(buffer.view)) for buffer in encoded.buffers]
