"""Extents into memory: read in few calls, digested while they are hot in the cache, in parallel.

Goal: a restore at the speed of the memory. What costs there is the first touch of each fresh page,
and then every further pass over the bytes. So an extent that is used whole goes right where it
belongs, a mebibyte at a time, which is digested before it leaves the cache. An extent of which only
parts are used is read and verified as a whole beside it, and its parts are copied from there.

Python is kept out of the way: neighbours in a body are read by one call, and the calls that take
time (reading, digests of more than 64 KiB, decompressing) let the other threads run.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

import xxhash
import zstandard

from resume.errors import IntegrityError
from resume.store.changes import part_digests
from resume.store.extents import PART_BYTES, RAW, Extent, Piece, Stored, digest
from resume.store.sources import Bodies, HashedSource, Source, empty
from resume.store.threads import started

_PARALLEL_BYTES = 8 << 20
_MOST_THREADS = 8
_AT_ONCE = 1 << 20
"""What is read before it is digested: fits into the cache of a core."""
_MOST_TARGETS = 256
"""Places that one call fills; the system allows 1024."""

T = TypeVar("T")


@dataclass(slots=True)
class Use:
    """Where a part of an extent's raw bytes belongs."""

    target: memoryview
    start: int
    row: int
    """Under which its part digests go on record; -1 where nobody asks for them."""


@dataclass(slots=True)
class Job:
    """An extent to be read and verified, and what it is for."""

    extent: Extent
    uses: list[Use]
    landing: Use | None = None
    """The use that takes the extent whole, where it may be read right there."""

    @property
    def is_simple(self) -> bool:
        """Whether it can be read in a row with its neighbours."""
        return self.landing is not None and self.extent.codec == RAW


class Plan:
    """What is to be read, body by body."""

    def __init__(self, *, in_place: bool = True) -> None:
        """Begin with nothing.

        Args:
            in_place: Targets are fresh memory, so bytes may land there before they are verified.
        """
        self.in_place = in_place
        self.marks: list[bytes] = []
        """By row, the digests of the parts of 64 KiB."""
        self._jobs: dict[str, dict[int, Job]] = {}

    def __bool__(self) -> bool:
        return bool(self._jobs)

    def add_buffer(self, stored: Stored, target: memoryview | None) -> None:
        """Fill *target* with all of *stored*, with part digests; without a target, only verify."""
        if len(stored.pieces) == 1:  # most are small, and each costs what is done for it
            self.add_piece(stored.pieces[0], target, marked=is_worth_marks(stored))
            return
        place = 0
        for piece in stored.pieces:
            place += self.add_piece(piece, target and target[place:], marked=True)

    def add_piece(self, piece: Piece, target: memoryview | None, *, marked: bool = False) -> int:
        """Put *piece* to the start of *target*; its length."""
        place = 0
        last = len(piece.slices) - 1
        for index, part in enumerate(piece.slices):
            job = self._job(part.extent)
            end = place + part.length
            row = -1
            if marked:
                is_aligned = not place % PART_BYTES and (index == last or not end % PART_BYTES)
                row = len(self.marks) if is_aligned else -1
                self.marks.append(b"")
            if target is not None:
                use = Use(target[place:end], part.start, row)
                job.uses.append(use)
                if self.in_place and job.landing is None and part.length == part.extent.raw:
                    job.landing = use
            place = end
        return place

    def _job(self, extent: Extent) -> Job:
        jobs = self._jobs.setdefault(extent.body, {})
        job = jobs.get(extent.offset)
        if job is None:
            job = jobs[extent.offset] = Job(extent, [])
        elif job.extent is not extent and job.extent != extent:
            raise IntegrityError(f"{extent.body} is damaged: its tables contradict themselves")
        return job

    def raw_bytes(self) -> int:
        """How much there is to do."""
        return sum(job.extent.raw for jobs in self._jobs.values() for job in jobs.values())

    def steps(self, body: str) -> Iterator[list[Job]]:
        """What to read in *body*, in its order: neighbours that one call can bring together."""
        row: list[Job] = []
        end = size = 0
        for _, job in sorted(self._jobs.get(body, {}).items()):
            extent = job.extent
            fits = extent.offset == end and size + extent.raw <= _AT_ONCE
            if row and not (fits and len(row) < _MOST_TARGETS and job.is_simple):
                yield row
                row, size = [], 0
            row.append(job)
            end, size = extent.offset + extent.stored, size + extent.raw
            if not job.is_simple:
                yield row
                row, size = [], 0
        if row:
            yield row


def carry_out(plan: Plan, bodies: Bodies, *, hashed: Collection[str] = ()) -> None:
    """Read and verify all that *plan* wants.

    Args:
        plan: What goes where.
        bodies: Where it lies.
        hashed: Bodies of which the sha256 is checked as well; foreign ones always are.

    Raises:
        IntegrityError: Not the bytes that were written. What was filled until then is no good.
        StoreError: The disk refused.
    """
    work: list[tuple[Source, list[list[Job]]]] = []
    for name, source in bodies.sources.items():
        steps = list(plan.steps(name))
        if name in hashed or name in bodies.foreign:
            work.append((HashedSource(source, bodies.by_name[name]), steps))
        else:
            work += [(source, [step]) for step in steps]

    def act(item: tuple[Source, list[list[Job]]], scratch: Scratch) -> None:
        source, steps = item
        for step in steps:
            _read_step(plan, step, source, scratch)
        if isinstance(source, HashedSource):
            source.finish()

    in_parallel(act, work, plan.raw_bytes())


class Scratch:
    """Memory and tools of one thread, made when they are first needed."""

    def __init__(self) -> None:
        self._memory: dict[str, memoryview] = {}
        self.unpacker = zstandard.ZstdDecompressor()

    def take(self, use: str, size: int) -> memoryview:
        """So much memory for *use*, with whatever lies in it."""
        if size > len(self._memory.get(use, b"")):
            self._memory[use] = empty(size)
        return self._memory[use][:size]


def in_parallel(act: Callable[[T, Scratch], None], work: Sequence[T], total: int) -> None:
    """Call *act* with each item, by several threads where *total* bytes are worth it.

    Raises:
        BaseException: The first error of any *act*; what had not begun is left.
    """
    left = deque(work)
    failures: list[BaseException] = []

    def run() -> None:
        scratch = Scratch()
        try:
            while (item := _next_of(left)) is not None:
                act(item, scratch)
        except BaseException as why:  # noqa: BLE001 - raised again by who waits for the threads
            left.clear()
            failures.append(why)

    count = min(_thread_count(), len(work)) if total >= _PARALLEL_BYTES else 1
    others = [threading.Thread(target=run, name="resume-restore") for _ in range(count - 1)]
    begun: list[threading.Thread] = []
    try:
        for one in others:
            begun.append(one)
            if not started(one):  # then fewer do it
                break
        run()
    finally:
        left.clear()
        _wait_for(begun)
    if failures:
        raise _first_of(failures)


def _next_of(left: deque[T]) -> T | None:
    try:
        return left.popleft()
    except IndexError:
        return None


def _first_of(failures: list[BaseException]) -> BaseException:
    # The list is left empty: it is seen by frames that each of them holds, and such a cycle would
    # keep all that they work on alive, and the frames of the program.
    first = failures[0]
    failures.clear()
    return first


def _wait_for(threads: Sequence[threading.Thread]) -> None:
    # An interrupt must not leave threads behind: they read from what is closed soon after.
    with suppress(RuntimeError):  # the last was not started
        try:
            for one in threads:
                one.join()
        except BaseException:
            for one in threads:
                one.join()
            raise


def _thread_count() -> int:
    usable = getattr(os, "sched_getaffinity", None)
    return min(_MOST_THREADS, len(usable(0)) if usable is not None else os.cpu_count() or 1)


def _read_step(plan: Plan, step: list[Job], source: Source, scratch: Scratch) -> None:
    if len(step) == 1:
        job = step[0]
        raw = scratch.take("raw", job.extent.raw) if job.landing is None else job.landing.target
        is_marked = job.landing is not None and job.landing.row >= 0
        _hand_on(plan, job, raw, _read_one(job.extent, source, raw, scratch, marks=is_marked))
        return
    uses = [job.landing for job in step if job.landing is not None]
    source.read_row([use.target for use in uses], step[0].extent.offset)
    for job, use in zip(step, uses, strict=True):
        _require(digest(use.target), job.extent, source)
        marks = _marks(use.target, job.extent.digest) if use.row >= 0 else b""
        _hand_on(plan, job, use.target, marks)


def _marks(raw: memoryview, mark: bytes) -> bytes:
    return mark if len(raw) <= PART_BYTES else part_digests(raw)


def _hand_on(plan: Plan, job: Job, raw: memoryview, marks: bytes) -> None:
    """Copy from the verified *raw* what belongs elsewhere, and record the part digests."""
    for use in job.uses:
        if use is job.landing:
            found = marks
        else:
            use.target[:] = raw[use.start : use.start + len(use.target)]
            found = part_digests(use.target) if use.row >= 0 else b""
        if use.row >= 0:
            plan.marks[use.row] = found


def read_extent(extent: Extent, source: Source, raw: memoryview) -> None:
    """Fill *raw* with the raw bytes of *extent*, verified.

    Raises:
        IntegrityError: They are not the bytes that were written.
    """
    _read_one(extent, source, raw, Scratch(), marks=False)


def _read_one(
    extent: Extent, source: Source, raw: memoryview, scratch: Scratch, *, marks: bool
) -> bytes:
    """Fill *raw*, verified; its part digests where *marks* are wanted."""
    if extent.codec != RAW:
        packed = scratch.take("packed", extent.stored)
        source.read_into(packed, extent.offset)
        _unpack(packed, raw, scratch.unpacker)
        _require(digest(raw), extent, source)
        return _marks(raw, extent.digest) if marks else b""
    found = xxhash.xxh3_128()
    parts = []
    for start in range(0, extent.raw, _AT_ONCE):
        block = raw[start : start + _AT_ONCE]
        source.read_into(block, extent.offset + start)
        found.update(block)
        if marks:
            parts.append(part_digests(block))
    _require(found.digest(), extent, source)
    return b"".join(parts)


def _require(found: bytes, extent: Extent, source: Source) -> None:
    if found != extent.digest:
        raise IntegrityError(
            f"{source.path.name} is damaged: bytes {extent.offset} to "
            f"{extent.offset + extent.stored} are not those written (xxh3)"
        )


def _unpack(packed: memoryview, raw: memoryview, unpacker: zstandard.ZstdDecompressor) -> None:
    # Into the given memory: a damaged frame may claim any size. What it lacks, the digest finds.
    try:
        with unpacker.stream_reader(packed) as stream:
            while raw:
                count = stream.readinto(raw)
                if not count:
                    return
                raw = raw[count:]
    except zstandard.ZstdError:
        return


def is_worth_marks(stored: Stored) -> bool:
    """Whether the parts of a buffer are worth digests of their own.

    They say what of it need not be written when it has changed: of two parts, little.
    """
    return stored.size_bytes > 2 * PART_BYTES


def with_marks(stored: Iterable[Stored], marks: Iterable[bytes]) -> tuple[Stored, ...]:
    """*stored*, its pieces with the part digests that were found, in the order of the plan."""
    found = iter(marks)
    return tuple(_with_marks(one, found) if is_worth_marks(one) else one for one in stored)


def _with_marks(stored: Stored, found: Iterator[bytes]) -> Stored:
    pieces = tuple(
        Piece(piece.digest, piece.slices, _joined([next(found) for _ in piece.slices]))
        for piece in stored.pieces
    )
    return Stored(stored.path, stored.kind, stored.size_bytes, pieces)


def _joined(marks: list[bytes]) -> bytes:
    return b"".join(marks) if all(marks) else b""
