"""Open bodies: who may have written them, whether they are there in full, and their bytes."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from resume.errors import IntegrityError
from resume.store import trust
from resume.store.generations import opened, unreadable
from resume.types import BodyRef, Manifest

_BLOCK_BYTES = 1 << 20

_seek = threading.Lock()


def empty(size: int) -> memoryview:
    """Fresh writable memory, not filled: one-dimensional, format `B`."""
    return np.empty(size, np.uint8).data


class Source:
    """An open body."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.descriptor = descriptor

    def read_into(self, target: memoryview, offset: int) -> None:
        """Fill *target* with what lies at *offset*.

        Raises:
            IntegrityError: The body ends before, or the medium cannot read it.
            StoreError: The disk refused.
        """
        while target:
            count = self._read((target,), offset)
            if not count:
                raise IntegrityError(f"{self.path.name} is damaged: it ends before byte {offset}")
            target, offset = target[count:], offset + count

    def read_row(self, targets: Sequence[memoryview], offset: int) -> None:
        """Fill *targets* one after the other with what lies at *offset*; errors as above."""
        count = self._read(targets, offset) if hasattr(os, "preadv") else 0
        if count == sum(map(len, targets)):
            return
        for target in targets:
            done = min(count, len(target))
            count -= done
            self.read_into(target[done:], offset + done)
            offset += len(target)

    def _read(self, targets: Sequence[memoryview], offset: int) -> int:
        try:
            if hasattr(os, "preadv"):
                return os.preadv(self.descriptor, targets, offset)
            return _read_at(self.descriptor, targets[0], offset)  # pragma: no cover - Windows
        except OSError as why:
            raise unreadable(self.path, why) from why


def _read_at(descriptor: int, target: memoryview, offset: int) -> int:  # pragma: no cover - Windows
    with _seek:
        os.lseek(descriptor, offset, os.SEEK_SET)
        data = os.read(descriptor, len(target))
        target[: len(data)] = data
        return len(data)


class HashedSource(Source):
    """A body whose bytes are used as they are hashed: each is read once, in their order.

    So it does not matter what others write to the file meanwhile.
    """

    def __init__(self, source: Source, body: BodyRef) -> None:
        super().__init__(source.path, source.descriptor)
        self._body = body
        self._sha256 = hashlib.sha256()
        self._place = 0

    def read_into(self, target: memoryview, offset: int) -> None:
        """See `Source.read_into`; *offset* only grows from call to call."""
        self._hash_up_to(offset)
        self._take(target)

    def read_row(self, targets: Sequence[memoryview], offset: int) -> None:
        """See `Source.read_row`."""
        self._hash_up_to(offset)
        for target in targets:
            self._take(target)

    def finish(self) -> None:
        """Hash the rest.

        Raises:
            IntegrityError: The bytes were not those that the manifest names.
        """
        self._hash_up_to(self._body.size_bytes)
        if self._sha256.hexdigest() != self._body.sha256:
            raise IntegrityError(
                f"{self.path.name} is damaged: its bytes are not those written (sha256)"
            )

    def _hash_up_to(self, offset: int) -> None:
        if offset < self._place:
            raise IntegrityError(f"{self.path.name} is damaged: its tables contradict themselves")
        if offset > self._place:
            block = empty(min(_BLOCK_BYTES, offset - self._place))
            while offset > self._place:
                self._take(block[: offset - self._place])

    def _take(self, target: memoryview) -> None:
        super().read_into(target, self._place)
        self._sha256.update(target)
        self._place += len(target)


class Bodies:
    """All bodies of one generation, open: of their size, and of somebody who may be trusted."""

    def __init__(self, place: Path, manifest: Manifest, *, vouched: bool) -> None:
        """Open them.

        Raises:
            IntegrityError: A body is missing, or of another size.
            TrustError: A body may have been written by somebody else.
            StoreError: A body may not be read.
        """
        self.by_name = {body.name: body for body in manifest.bodies}
        self.sources: dict[str, Source] = {}
        self.foreign: set[str] = set()
        """Those that others can write to: all of their bytes are hashed each time."""
        with ExitStack() as stack:
            for body in manifest.bodies:
                descriptor = stack.enter_context(opened(place / body.name))
                self._admit(place / body.name, descriptor, manifest, vouched=vouched)
            self._stack = stack.pop_all()

    def _admit(self, path: Path, descriptor: int, manifest: Manifest, *, vouched: bool) -> None:
        found = os.fstat(descriptor)
        size = self.by_name[path.name].size_bytes
        why = trust.complaint(found)
        if why is not None:
            if not vouched and not trust.is_signed(manifest):
                raise trust.refusal(path, why)
            self.foreign.add(path.name)
        if found.st_size != size:
            raise IntegrityError(
                f"{path.name} is damaged: it has {found.st_size} bytes instead of {size}"
            )
        self.sources[path.name] = Source(path, descriptor)

    def close(self) -> None:
        """Close them; who forgets it closes them by dropping this."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        why: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def hash_file(descriptor: int) -> str:
    """The sha256 of all of an open file."""
    found = hashlib.sha256()
    with open(descriptor, "rb", closefd=False) as source:
        source.seek(0)
        while block := source.read(_BLOCK_BYTES):
            found.update(block)
    return found.hexdigest()
