"""A generation's bytes back into memory: verified and decompressed, and only then handed over."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import zstandard

from resume.errors import IntegrityError
from resume.store import trust
from resume.store.extents import RAW, Extent, Stored, digest
from resume.store.generations import opened
from resume.store.tables import decode_tables
from resume.types import BodyRef, Content, Manifest

HASHED_BYTES = 64 << 20
"""Bodies of less than this together are checked by sha256 too."""
_PARALLEL_BYTES = 32 << 20
_MOST_THREADS = 8
_BLOCK_BYTES = 4 << 20

_seek = threading.Lock()


class Source:
    """An open body whose size, owner and, where asked, sha256 were found good."""

    def __init__(self, path: Path, descriptor: int, whole: memoryview | None) -> None:
        self.path = path
        self._descriptor = descriptor
        self._whole = whole

    def read_into(self, target: memoryview, offset: int) -> None:
        """Fill *target* with what lies at *offset*.

        Raises:
            IntegrityError: The body ends before.
        """
        if self._whole is not None:
            part = self._whole[offset : offset + len(target)]
            if len(part) == len(target):
                target[:] = part
                return
        elif _read_at(self._descriptor, target, offset):
            return
        raise IntegrityError(f"{self.path.name} is damaged: it ends before byte {offset}")


def _read_at(descriptor: int, target: memoryview, offset: int) -> bool:
    while target:
        if hasattr(os, "preadv"):
            count = os.preadv(descriptor, [target], offset)
        else:  # pragma: no cover - Windows
            with _seek:
                os.lseek(descriptor, offset, os.SEEK_SET)
                data = os.read(descriptor, len(target))
            count = len(data)
            target[:count] = data
        if not count:
            return False
        target, offset = target[count:], offset + count
    return True


def read_generation(
    place: Path, manifest: Manifest, *, vouched: bool
) -> tuple[Content, tuple[Stored, ...]]:
    """The content of *manifest*, every byte of it verified, and where it lies.

    Raises:
        IntegrityError: A body is missing or damaged.
        TrustError: A body may have been written by somebody else.
        StoreError: A body may not be read.
    """
    hashed = is_hashed(manifest)
    with ExitStack() as stack:
        sources = {
            body.name: stack.enter_context(
                _open_body(place / body.name, body, manifest, vouched=vouched, hashed=hashed)
            )
            for body in manifest.bodies
        }
        stored = read_tables(sources[manifest.body.name], manifest)
        return _fill(stored, sources), stored


def is_hashed(manifest: Manifest) -> bool:
    """Whether a restore checks the sha256 of every body, and so finds damage anywhere in it."""
    return sum(body.size_bytes for body in manifest.bodies) < HASHED_BYTES


@contextmanager
def _open_body(
    path: Path, body: BodyRef, manifest: Manifest, *, vouched: bool, hashed: bool
) -> Iterator[Source]:
    with opened(path) as descriptor:
        found = os.fstat(descriptor)
        why = trust.complaint(found)
        if why is not None and not vouched and not trust.is_signed(manifest):
            raise trust.refusal(path, why)
        if found.st_size != body.size_bytes:
            raise IntegrityError(
                f"{path.name} is damaged: it has {found.st_size} bytes instead of {body.size_bytes}"
            )
        # What others can write to is used from the memory that was hashed: the file may change.
        whole = _read_hashed(path, descriptor, body) if hashed or why is not None else None
        yield Source(path, descriptor, whole)


def _read_hashed(path: Path, descriptor: int, body: BodyRef) -> memoryview:
    whole = empty(body.size_bytes)
    if not _read_at(descriptor, whole, 0) or hashlib.sha256(whole).hexdigest() != body.sha256:
        raise IntegrityError(f"{path.name} is damaged: its bytes are not those written (sha256)")
    return whole


def hash_file(descriptor: int) -> str:
    """The sha256 of all of an open file."""
    found = hashlib.sha256()
    with open(descriptor, "rb", closefd=False) as source:
        source.seek(0)
        while block := source.read(_BLOCK_BYTES):
            found.update(block)
    return found.hexdigest()


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
        return read_tables(Source(path, descriptor, None), manifest)


def empty(size: int) -> memoryview:
    """Fresh writable memory, not filled: one-dimensional, format `B`."""
    return np.empty(size, np.uint8).data


@dataclass(frozen=True, slots=True)
class _Use:
    """A place in a buffer that part of an extent belongs to."""

    target: memoryview
    start: int


def _fill(stored: Sequence[Stored], sources: dict[str, Source]) -> Content:
    buffers = [empty(one.size_bytes) for one in stored]
    uses = _uses(stored, buffers)

    def fill(extent: Extent) -> None:
        _fill_extent(extent, sources[extent.body], uses[extent])

    _run(fill, list(uses), sum(extent.raw for extent in uses))
    if not buffers:
        raise IntegrityError("the tables name no pickle stream")
    return Content(buffers[0], tuple(buffers[1:]))


def _uses(stored: Sequence[Stored], buffers: Sequence[memoryview]) -> dict[Extent, list[_Use]]:
    uses: dict[Extent, list[_Use]] = {}
    for one, buffer in zip(stored, buffers, strict=True):
        place = 0
        for piece in one.pieces:
            for part in piece.slices:
                target = buffer[place : place + part.length]
                uses.setdefault(part.extent, []).append(_Use(target, part.start))
                place += part.length
    return uses


def _run(act: Callable[[Extent], None], extents: Sequence[Extent], total: int) -> None:
    threads = min(_MOST_THREADS, os.cpu_count() or 1)
    if total < _PARALLEL_BYTES or threads == 1:
        for extent in extents:
            act(extent)
        return
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - large restores only

    with ThreadPoolExecutor(threads, "resume-restore") as pool:
        for _ in pool.map(act, extents):  # map hands the first failure on
            pass


def _fill_extent(extent: Extent, source: Source, uses: Sequence[_Use]) -> None:
    whole = next((use.target for use in uses if len(use.target) == extent.raw), None)
    raw = empty(extent.raw) if whole is None else whole
    read_extent(extent, source, raw)
    for use in uses:
        if use.target is not whole:
            use.target[:] = raw[use.start : use.start + len(use.target)]


def read_extent(extent: Extent, source: Source, raw: memoryview) -> None:
    """Fill *raw* with the raw bytes of *extent*, verified.

    Raises:
        IntegrityError: They are not the bytes that were written.
    """
    if extent.codec == RAW:
        source.read_into(raw, extent.offset)
    else:
        packed = empty(extent.stored)
        source.read_into(packed, extent.offset)
        _unpack(packed, raw)
    if digest(raw) != extent.digest:
        raise IntegrityError(
            f"{source.path.name} is damaged: bytes {extent.offset} to "
            f"{extent.offset + extent.stored} are not those written (xxh3)"
        )


def _unpack(packed: memoryview, raw: memoryview) -> None:
    # Into the given memory: a damaged frame may claim any size. What it lacks, the digest finds.
    try:
        with zstandard.ZstdDecompressor().stream_reader(packed) as stream:
            while raw:
                count = stream.readinto(raw)
                if not count:
                    return
                raw = raw[count:]
    except zstandard.ZstdError:
        return
