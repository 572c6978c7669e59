"""A generation's bytes back into memory: verified and decompressed, and only then handed over."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path

from resume.errors import IntegrityError
from resume.store.extents import Stored
from resume.store.filling import Plan, carry_out, with_marks
from resume.store.generations import opened
from resume.store.lending import COPIED_KINDS, SavedBuffers
from resume.store.sources import Bodies, Source, empty
from resume.store.tables import decode_tables
from resume.types import Content, Manifest

HASHED_BYTES = 64 << 20
"""Bodies of less than this together are checked by sha256 too."""
_COPIED_BYTES = 32 << 20
"""So much of what is copied once more when it is unpickled may be held in memory until then."""


def read_generation(
    place: Path, manifest: Manifest, *, vouched: bool
) -> tuple[Content, tuple[Stored, ...]]:
    """The content of *manifest*, every byte of it verified, and where it lies.

    Raises:
        IntegrityError: A body is missing or damaged.
        TrustError: A body may have been written by somebody else.
        StoreError: A body may not be read.
    """
    open_bodies = partial(Bodies, place, manifest, vouched=vouched)
    with open_bodies() as bodies:
        stored = read_tables(bodies.sources[manifest.body.name], manifest)
        if not stored:
            raise IntegrityError(
                f"{manifest.body.name} is damaged: its tables name no pickle stream"
            )
        held = _memory_for(stored, is_foreign=bool(bodies.foreign))
        plan = Plan()
        for one, memory in zip(stored, held, strict=True):
            plan.add_buffer(one, memory)
        carry_out(plan, bodies, hashed=bodies.by_name if is_hashed(manifest) else ())
    stored = with_marks(stored, plan.marks)
    stream = held[0]
    assert stream is not None
    return Content(stream, SavedBuffers(stored, held[1:], open_bodies)), stored


def _memory_for(stored: tuple[Stored, ...], *, is_foreign: bool) -> list[memoryview | None]:
    """Memory for the stream and the buffers that are unpickled without one more copy.

    The others are verified now, and read once more right into the object that they belong to: held
    here, they would be in memory twice. From files that others write to all is held: what is
    unpickled must be what was hashed.
    """
    copied = sum(one.size_bytes for one in stored[1:] if one.kind in COPIED_KINDS)
    holds_all = is_foreign or copied <= _COPIED_BYTES
    return [
        empty(one.size_bytes) if holds_all or not row or one.kind not in COPIED_KINDS else None
        for row, one in enumerate(stored)
    ]


def read_again(place: Path, manifest: Manifest, buffers: SavedBuffers, *, vouched: bool) -> Content:
    """The content of *manifest* once more in the same process, without all of it in memory twice.

    The stream is read and verified now. Of the buffers, what was handed out before and is still as
    it was is used again; the rest is read, and verified, when it is asked for.

    Raises:
        As `read_generation`.
    """
    bodies = Bodies(place, manifest, vouched=vouched)
    memory = empty(buffers.stream.size_bytes)
    plan = Plan()
    plan.add_buffer(buffers.stream, memory)
    carry_out(plan, bodies)
    buffers.use(bodies)
    return Content(memory, buffers)


def is_hashed(manifest: Manifest) -> bool:
    """Whether a restore checks the sha256 of every body, and so finds damage anywhere in it."""
    return sum(body.size_bytes for body in manifest.bodies) < HASHED_BYTES


def read_tables(source: Source, manifest: Manifest) -> tuple[Stored, ...]:
    """The tables of *manifest* from its own body, verified.

    Raises:
        IntegrityError: They are damaged.
    """
    place = manifest.tables
    data = empty(min(place["size_bytes"], manifest.body.size_bytes))
    source.read_into(data, place["offset"])
    if hashlib.sha256(data).hexdigest() != place["sha256"]:
        raise IntegrityError(f"{source.path.name} is damaged: its tables (sha256)")
    try:
        return tuple(decode_tables(bytes(data), [body.name for body in manifest.bodies]))
    except ValueError as why:
        raise IntegrityError(f"{source.path.name} is damaged: {why}") from why


def read_own_tables(place: Path, manifest: Manifest) -> tuple[Stored, ...]:
    """The tables of *manifest* alone, without a look at the rest.

    Raises:
        StoreError: They are missing, damaged, or may not be read.
    """
    path = place / manifest.body.name
    with opened(path) as descriptor:
        return read_tables(Source(path, descriptor), manifest)
