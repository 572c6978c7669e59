"""The table behind a set: where each item lies, where others lay, and where `pop` goes on.

`PySetObject`, from 3.7 to 3.14: head, fill, used, mask, table, hash, finger, eight entries of its
own. An entry is a key and its hash; one whose item has gone holds a key that is no item, and the
hash -1, which no object has. An entry that was never used holds no key.
"""

from __future__ import annotations

import ctypes
import struct
from array import array
from typing import Any

import numpy as np

_HEAD = struct.Struct("nnnPnn")
_LARGEST = 1 << 16
"""Entries; a larger table takes too long to be filled in the same way."""
_SMALL = 32
"""Entries; of a smaller table all are looked at one by one, which is faster."""


def layout(held: set[Any] | frozenset[Any]) -> tuple[int, int, bytes, bytes, bytes] | None:
    """How the table of *held* is filled, as far as its items do not tell by their hashes.

    Returns:
        Entries; where `pop` goes on; of the items that do not lie where their hash says: which they
        are, in the order of the set, and where they lie; entries whose item has gone. The last
        three as numbers of four bytes. None: the table is large, or not of the form that is known.
    """
    if not IS_KNOWN:
        return None
    _, used, mask, table, _, finger = _HEAD.unpack_from(_bytes(id(held) + _START, _HEAD.size))
    if mask >= _LARGEST or used != len(held):
        return None
    finger = finger if finger <= 2 * (mask + 1) else finger & mask
    entries = _bytes(table, 16 * (mask + 1))
    return (mask + 1, finger, *(_small if mask < _SMALL else _any)(entries, mask))


def _small(entries: bytes, mask: int) -> tuple[bytes, ...]:
    words = struct.unpack(f"{2 * (mask + 1)}q", entries)
    away, away_places, gone = array("i"), array("i"), array("i")
    index = 0
    for slot in range(mask + 1):
        key, number = words[2 * slot : 2 * slot + 2]
        if key and number == -1:
            gone.append(slot)
        elif key:
            if number & mask != slot:
                away.append(index)
                away_places.append(slot)
            index += 1
    return away.tobytes(), away_places.tobytes(), gone.tobytes()


def _any(entries: bytes, mask: int) -> tuple[bytes, ...]:
    keys, numbers = np.frombuffer(entries, np.int64).reshape(-1, 2).T
    places = np.flatnonzero((keys != 0) & (numbers != -1))
    away = np.flatnonzero(places != numbers[places] & mask)
    gone = np.flatnonzero((keys != 0) & (numbers == -1))
    away_places = places[away].astype(np.int32)
    return away.astype(np.int32).tobytes(), away_places.tobytes(), gone.astype(np.int32).tobytes()


def _bytes(address: int, size: int) -> bytes:
    return ctypes.string_at(address, size)


def _is_known() -> bool:
    """Whether a set that is known looks as it should."""
    held = {1, 2, 9, 4}
    held.discard(2)
    held.pop()
    address = id(held) + _START
    *numbers, table, seed, finger = _HEAD.unpack_from(_bytes(address, _HEAD.size))
    if numbers != [4, 2, 7] or table != address + _HEAD.size or (seed, finger) != (-1, 2):
        return False
    entries = struct.unpack_from("nn" * 8, _bytes(table, 16 * 8))
    return entries[1::2] == (0, -1, -1, 0, 4, 0, 9, 0) and entries[8] == id(4)


_START = object.__basicsize__
IS_KNOWN = struct.calcsize("P") == 8 and set().__sizeof__() == 200 and _is_known()
"""The table of a set can be read."""
