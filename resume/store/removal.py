"""What leaves the disk: generations given up or set aside, and what dead saves left behind.

A body goes when no manifest names it, readable or not. The order is: make sure that the newest that
stays is on the medium, then manifests, oldest first, then bodies. Dying in between leaves bodies
that nobody names, never a manifest whose body was taken from it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from resume.errors import IntegrityError
from resume.store import files, generations, layout
from resume.store.body import Target
from resume.store.retention import Retention, staying
from resume.types import Manifest

_Mark: TypeAlias = tuple[int, int, int]
"""What tells that a file is still the one that was read."""


def _mark_of(path: Path) -> _Mark:
    status = path.lstat()
    return status.st_ino, status.st_size, status.st_mtime_ns


class Removal:
    """Removes files of one place; asked only while the lock is held."""

    def __init__(self, target: Target, retention: Retention) -> None:
        self._target = target
        self._place = target.place
        self._retention = retention
        self._durable: set[str] = set()
        self._named: dict[str, tuple[_Mark, frozenset[str]]] = {}
        self._read: dict[str, tuple[_Mark, Manifest]] = {}

    def note_saved(self, manifest: Manifest, *, is_durable: bool) -> None:
        """*manifest* was written just now; where that waited for the medium, it is on it.

        What its file says need not be read again when it goes, as long as nobody touches the file.
        """
        if is_durable:
            self._durable.add(manifest.body.name)
        name = layout.manifest_name(manifest.number)
        with suppress(OSError):  # gone already: then there is nothing to know of it
            mark = _mark_of(self._place / name)
            self._read[name] = (mark, manifest)
            self._named[name] = (mark, frozenset(body.name for body in manifest.bodies))

    def prune(self, newest: Manifest) -> None:
        """Remove what retention does not keep of the chain that ends in *newest*.

        Raises:
            OSError: The disk refused; what is left is whole.
        """
        chain = [newest, *self._whole(newest.ancestors)]
        stay = staying(chain, self._retention)
        gone = [one for one in chain if one.number not in stay]
        if not gone:
            return
        self.make_durable(newest)
        names = [layout.manifest_name(one.number) for one in gone]
        unneeded = {body.name for one in gone for body in one.bodies} - self._bodies_named(names)
        for name in [*sorted(names), *sorted(unneeded)]:
            self.remove(self._place / name)

    def _whole(self, numbers: Sequence[int]) -> Iterator[Manifest]:
        # A generation without its bodies is no reason to let a whole one go: it does not count.
        for number in numbers:
            manifest = self._manifest(number)
            if manifest is not None and self._has_bodies(manifest):
                yield manifest

    def _manifest(self, number: int) -> Manifest | None:
        """What generation *number* says; read once, while its file stays the same."""
        path = self._place / layout.manifest_name(number)
        with suppress(OSError):
            mark = _mark_of(path)
            known = self._read.get(path.name)
            if known is not None and known[0] == mark:
                return known[1]
            found = generations.examine(self._place, number, self._target.name, vouched=True)
            if found.manifest is not None:
                self._read[path.name] = (mark, found.manifest)
            return found.manifest
        return None

    def _has_bodies(self, manifest: Manifest) -> bool:
        try:
            sizes = [(self._place / body.name).stat().st_size for body in manifest.bodies]
        except OSError:
            return False
        return sizes == [body.size_bytes for body in manifest.bodies]

    def make_durable(self, newest: Manifest) -> None:
        """Wait for the disk before anything older goes, also where saves do not wait."""
        waiting = [body.name for body in newest.bodies if body.name not in self._durable]
        if not waiting:
            return
        for name in [*waiting, layout.manifest_name(newest.number)]:
            with suppress(IntegrityError), generations.opened(self._place / name) as descriptor:
                self._target.disk.fsync(descriptor)
        self._target.disk.sync_folder(self._place)
        self._durable.update(waiting)

    def unnamed(self, *, without: Iterable[Path] = (), only_dead: bool) -> Iterator[Path]:
        """Scratch files of dead saves, and bodies that no manifest names, but for *without*.

        Args:
            without: Manifests that are about to go.
            only_dead: Leave the bodies whose writer may live; a save on its way is one.
        """
        named = self._bodies_named([path.name for path in without])
        for name in generations.file_names(self._place):
            path = self._place / name
            if layout.BODY_NAME.fullmatch(name) and name not in named:
                is_dead = not only_dead or generations.is_orphan(path)
            else:
                is_dead = files.is_abandoned(path)
            if is_dead:
                yield path

    def _bodies_named(self, without: Iterable[str]) -> frozenset[str]:
        """Bodies that the manifests here name, readable or not, but for those in *without*."""
        left_out = frozenset(without)
        found: set[str] = set()
        for name in generations.file_names(self._place):
            if layout.MANIFEST_NAME.fullmatch(name) and name not in left_out:
                found |= self._names_in(self._place / name)
        return frozenset(found)

    def _names_in(self, path: Path) -> frozenset[str]:
        mark = _mark_of(path)
        known = self._named.get(path.name)
        if known is None or known[0] != mark:
            hits: list[bytes] = []
            with suppress(IntegrityError):  # a folder or a FIFO under this name names nothing
                hits = layout.ANY_BODY.findall(generations.read_regular(path)[0])
            known = (mark, frozenset(hit.decode("ascii") for hit in hits))
            self._named[path.name] = known
        return known[1]

    def remove(self, path: Path) -> int:
        """Remove *path*, and return the bytes freed; 0 where it is gone already."""
        size = 0
        with suppress(FileNotFoundError):
            size = os.stat(path, follow_symlinks=False).st_size  # noqa: PTH116
            self._target.disk.unlink(path)
        # names are never used again: what is known of them would only add up, save by save
        self._named.pop(path.name, None)
        self._read.pop(path.name, None)
        self._durable.discard(path.name)
        return size
