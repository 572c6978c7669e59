"""The store of one checkpoint: what the engine above sees of the disk."""

from __future__ import annotations

import logging
import os
import shutil
import weakref
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from resume.errors import IntegrityError, ResumeError, StoreError
from resume.place import REQUEST_NAME
from resume.store import files, generations, layout, verify
from resume.store.body import Load, Target, compression_level
from resume.store.changes import Previous, stage
from resume.store.commit import Commission, begin_generation, write_generation
from resume.store.extents import Stored
from resume.store.files import Disk, telling
from resume.store.generations import Entry, Listing
from resume.store.handover import Handover, write_beside, write_here
from resume.store.lending import SavedBuffers
from resume.store.lock import PlaceLock, read_holder
from resume.store.pending import Pending, settle, when_settled
from resume.store.removal import Removal
from resume.store.restore import read_again, read_generation
from resume.store.restores import Restores
from resume.store.retention import Retention
from resume.store.staging import MEMORY_BYTES, Pool
from resume.store.trust import is_waived
from resume.types import Buffer, Content, Draft, Manifest, Problem

_log = logging.getLogger(__name__)


class Store:
    """The generations of one checkpoint in one folder. Nothing is created before the lock is taken.

    Args:
        folder: The store's folder (`.checkpoints`), made when first needed.
        name: The checkpoint's name.
        retention: What stays after a save.
        fsync: Wait for the disk. Off survives the death of the process, not a power cut.
        compress: `auto` (by a sample of each extent), `none`, or a zstd level.
        trust: True vouches for files of others; None leaves that to `RESUME_TRUST`.
        memory_bytes: Most memory for copies that wait for the disk.
        disk: The operations that change the disk.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        retention: Retention = Retention(),  # noqa: B008 - frozen
        fsync: bool = True,
        compress: str | int = "auto",
        trust: bool | None = None,
        memory_bytes: int = MEMORY_BYTES,
        disk: Disk | None = None,
    ) -> None:
        self.folder = Path(folder).absolute()
        self.name = name
        self.place = self.folder / layout.encode_name(name)
        self._expire_s = retention.expire_s
        self._disk = disk or Disk()
        self._target = Target(self._disk, self.place, name, compression_level(compress), fsync)
        self._removal = Removal(self._target, retention)
        self.restores = Restores(self._disk, self.place, fsync=fsync)
        """What came of those who restored before."""
        self._trust = trust
        self._pid = os.getpid()
        self._lock = PlaceLock(self.place, name, self._disk)
        self._memory_bytes = memory_bytes
        self._pool = Pool(memory_bytes)
        self._known: tuple[str, tuple[Stored, ...]] | None = None
        self._made: Manifest | None = None
        weakref.finalize(self, self._lock.release)

    def __repr__(self) -> str:
        held = "held" if self._lock.is_held else "free"
        return f"<Store {self.place} {held}>"

    def entries(self) -> list[Entry]:
        """Every generation, newest first, of all lines, readable or not."""
        return list(self._scan().entries)

    def numbers(self) -> list[int]:
        """The numbers of all generations that are there, whole or not, without a look at them."""
        matches = map(layout.MANIFEST_NAME.fullmatch, generations.file_names(self.place))
        return sorted(int(match[1]) for match in matches if match)

    def newest(self) -> Manifest | None:
        """The newest readable manifest of the live line; None where there is none, or it expired.

        Raises:
            IntegrityError: There are manifests, and none can be read.
            SchemaVersionError: It was written by a later release.
            TrustError: It may have been written by somebody else.
        """
        listing = self._scan()
        for entry in _best_first(listing):
            if entry.error is None:
                return entry.manifest
            if not isinstance(entry.error, IntegrityError):
                raise entry.error
        if listing.chain:
            raise self._none_whole([str(one.problem) for one in _best_first(listing)])
        return None

    def chain(self) -> Iterator[Manifest]:
        """The newest manifest, then those that it stands on, as far as they can be read."""
        for entry in _best_first(self._scan()):
            if entry.error is None and entry.manifest is not None:
                yield entry.manifest

    def manifest(self, number: int) -> Manifest:
        """The manifest of generation *number*, of whatever line.

        Raises:
            IntegrityError: It is missing or damaged.
            SchemaVersionError: It was written by a later release.
            TrustError: It may have been written by somebody else.
        """
        settle(self.place)
        entry = generations.examine(self.place, number, self.name, vouched=self._vouched)
        if entry.error is not None:
            raise entry.error
        if entry.manifest is None:
            raise IntegrityError(f"{entry.path.name} cannot be read")
        return entry.manifest

    def read(self, manifest: Manifest, again: Content | None = None) -> Content:
        """The bytes of the generation *manifest*, every one verified.

        Args:
            manifest: Which one.
            again: Its content as this process has read it before: what of it is still in memory,
                and as it was, is used again, and the rest is verified when it is asked for.

        Raises:
            IntegrityError: A file of it is missing, damaged, or was replaced.
            TrustError: A file of it may have been written by somebody else.
        """
        if self.manifest(manifest.number).digest != manifest.digest:
            raise IntegrityError(f"generation {manifest.number} of {self.name!r} was replaced")
        if again is not None and isinstance(again.buffers, SavedBuffers):
            return read_again(self.place, manifest, again.buffers, vouched=self._vouched)
        content, stored = read_generation(self.place, manifest, vouched=self._vouched)
        self._known = (manifest.digest, stored)
        return content

    def read_best(
        self,
        *,
        rather_not: Collection[str] = (),
        before: Callable[[Manifest], None] = lambda _: None,
    ) -> tuple[Manifest, Content, list[str]] | None:
        """The newest whole generation of the live line, and why others were passed over.

        Args:
            rather_not: Digests of manifests that are taken only where no other generation is whole.
            before: Called with each manifest before a byte of its generation is read.

        Returns:
            Its manifest, its content, and a reason for each newer one that is damaged; None where
            there is nothing to restore.

        Raises:
            IntegrityError: None is whole.
            SchemaVersionError: The newest was written by a later release.
            TrustError: The newest may have been written by somebody else.
        """
        reasons: list[str] = []
        best = _best_first(self._scan())
        best.sort(key=lambda one: one.manifest is not None and one.manifest.digest in rather_not)
        for entry in best:
            try:
                if entry.error is not None:
                    raise entry.error
                if entry.manifest is not None:
                    before(entry.manifest)
                    return entry.manifest, self.read(entry.manifest), reasons
            except IntegrityError as why:
                reasons.append(f"generation {entry.number}: {why}")
        if reasons:
            raise self._none_whole(reasons)
        return None

    def _none_whole(self, reasons: Sequence[str]) -> IntegrityError:
        listed = "\n".join(f"  {one}" for one in reasons)
        return IntegrityError(
            f"no generation of {self.name!r} in {self.place} is whole:\n{listed}\n"
            "Nothing was unpickled, and the files stay as they are. Bring them back from a copy, "
            "or start anew with clean=True, which sets them aside; `resume verify` tells more."
        )

    def lock(self) -> None:
        """Take the checkpoint for this process; once taken, again is nothing.

        Raises:
            CheckpointBusyError: Somebody has it: the text names host, process and since when.
            StoreError: The disk refused.
        """
        self._require_own_process()
        if self._lock.is_held:
            return
        settle(self.place)
        with telling(f"take the checkpoint {self.name!r} in {self.place}"):
            files.ensure_folder(self._disk, self.folder, fsync=self._target.fsync)
            files.ensure_place(self._disk, self.place, fsync=self._target.fsync)
            self._lock.acquire()
        self._clear_leftovers()

    def unlock(self, *, died: bool = False) -> None:
        """Give the checkpoint back, once what is on its way to the disk is there.

        And the memory for copies: the handle of a run that has ended may wait for the collector.

        Args:
            died: The run ends by an error; what it restored may be why.
        """
        if os.getpid() == self._pid:
            self.restores.end(died=died)
            when_settled(self.place, self._let_go)

    def _let_go(self) -> None:
        self._pool = Pool(self._memory_bytes)
        self._lock.release()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        settle(self.place)
        had = self._lock.is_held
        self.lock()
        try:
            yield
        finally:
            if not had:
                self.unlock()

    def holder(self) -> dict[str, Any] | None:
        """`host`, `pid` and `since` of who has the checkpoint, or None. Takes no lock."""
        return read_holder(self.place)

    def last_made(self) -> Manifest | None:
        """The newest generation that this object saved, when nothing is on its way any more."""
        settle(self.place)
        return self._made

    def commit(
        self,
        draft: Draft,
        stream: bytes | memoryview | Sequence[bytes],
        buffers: Sequence[Buffer],
        *,
        parent: Manifest | None,
    ) -> Manifest:
        """Make a new generation of *stream* and *buffers*, durable when this returns; then prune.

        Args:
            draft: What is to be recorded.
            stream: The pickle stream, whole or in parts.
            buffers: The large pieces; other threads may write to them meanwhile.
            parent: The generation that this one continues; None begins a new line, and sets aside
                what was there.

        Returns:
            The manifest as a reader finds it.

        Raises:
            CheckpointBusyError: Somebody else writes here.
            StoreError: The disk refused. The store is as it was before.
        """
        return self.save(draft, stream, buffers, parent=parent).wait()

    def save(
        self,
        draft: Draft,
        stream: bytes | memoryview | Sequence[bytes],
        buffers: Sequence[Buffer],
        *,
        parent: Manifest | None,
    ) -> Pending:
        """As `commit`; what the disk refused is told by the `Pending`, which is done."""
        return self._save(draft, stream, buffers, parent, write_here)

    def begin(
        self,
        draft: Draft,
        stream: bytes | memoryview | Sequence[bytes],
        buffers: Sequence[Buffer],
        *,
        parent: Manifest | None,
    ) -> Pending:
        """As `commit`, but return as soon as what changed is copied; a thread does the rest.

        Raises:
            CheckpointBusyError: Somebody else writes here.
            StoreError: The disk refused before all was copied. Later than that, `Pending` tells.
        """
        return self._save(draft, stream, buffers, parent, write_beside)

    def _save(
        self,
        draft: Draft,
        stream: bytes | memoryview | Sequence[bytes],
        buffers: Sequence[Buffer],
        parent: Manifest | None,
        handover: Handover,
    ) -> Pending:
        self.lock()
        settle(self.place)
        known = self._known if parent and self._known and self._known[0] == parent.digest else None
        with telling(f"save {self.name!r} to {self.place}"):
            commission = begin_generation(self._target, parent, known and known[1])
        previous = Previous(commission.lent.buffers, commission.lent.bodies)
        parts = (bytes(stream),) if isinstance(stream, bytes | memoryview) else tuple(stream)
        pool = self._pool

        def is_awaited() -> bool:
            return handover is write_here or pool.is_waited_for

        self._pool.mend()
        pending = Pending(self.place, commission.head.number)
        with telling(f"save {self.name!r} to {self.place}"):  # there may be no memory
            handover(
                pending,
                lambda feed: self._write(draft, commission, Load(parts, feed, is_awaited)),
                lambda ship: stage(buffers, previous, self._pool, ship),
                self._pool,
            )
        return pending

    def _write(self, draft: Draft, commission: Commission, load: Load) -> Manifest:
        with telling(f"save {self.name!r} to {self.place}"):
            manifest, stored = write_generation(self._target, draft, commission, load)
        self._known = (manifest.digest, stored)
        self._made = manifest
        self._removal.note_saved(manifest, is_durable=self._target.fsync)
        try:
            self.restores.saved()
            self._removal.prune(manifest)
        except (OSError, ResumeError) as why:
            _log.warning("generation %d is saved, but older ones stay: %s", manifest.number, why)
        return manifest

    def prune(self) -> None:
        """Remove the generations of the live line that retention does not keep.

        Raises:
            StoreError: The disk refused; what is left is whole.
        """
        with self._locked(), telling(f"prune {self.name!r} in {self.place}"):
            newest = self.newest()
            if newest is not None:
                self._removal.prune(newest)

    def verify(self) -> list[Problem]:
        """Everything that is wrong with the generations here, every byte read. Changes nothing."""
        return verify.find_problems(self.place, self.entries())

    def remove(self) -> None:
        """Remove the checkpoint with all of its generations.

        Raises:
            CheckpointBusyError: Somebody has it.
            StoreError: The disk refused; some of it may be left.
        """
        if not self.place.exists():
            return
        with self._locked(), telling(f"remove {self.place}"):
            for path in sorted(self.place.iterdir(), reverse=True):  # newest manifests first
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                elif path.name != "lock":
                    self._disk.unlink(path)
            (self.place / "lock").unlink(missing_ok=True)
            self._remove_place()

    def _remove_place(self) -> None:
        """Remove the empty folder; somebody may have asked for a save this very moment."""
        try:
            self.place.rmdir()
        except OSError:
            if os.listdir(self.place) != [REQUEST_NAME]:  # noqa: PTH208 - names are all that is asked
                raise
            self._disk.unlink(self.place / REQUEST_NAME)
            self.place.rmdir()

    def gc(self, *, dry_run: bool = False) -> int:
        """Remove what was set aside, unnamed bodies and scratch files; return the bytes freed.

        Raises:
            CheckpointBusyError: Somebody has the checkpoint.
            StoreError: The disk refused, or the newest generation is not ours to judge.
        """
        if not self.place.exists():
            return 0
        with self._locked(), telling(f"clear {self.place}"):
            aside = self._set_aside()
            gone = [*aside, *self._removal.unnamed(without=aside, only_dead=False)]
            if dry_run:
                return sum(path.stat().st_size for path in gone)
            return sum(self._removal.remove(path) for path in gone)

    def _set_aside(self) -> list[Path]:
        """The manifests off the live line. Where nothing tells which line lives, none."""
        listing = self._scan()
        aside = [one.path for one in listing.entries if not one.live]
        if aside and (listing.chain or all(one.manifest is None for one in listing.entries)):
            newest = self.newest()
            if newest is not None:
                self._removal.make_durable(newest)
        return aside

    def _clear_leftovers(self) -> None:
        """Remove what dead saves left behind: the lock is ours, so who lives is none of them."""
        try:
            for path in self._removal.unnamed(only_dead=True):
                self._removal.remove(path)
        except (OSError, ResumeError) as why:
            _log.warning("leftovers of an interrupted save stay in %s: %s", self.place, why)

    @property
    def _vouched(self) -> bool:
        return is_waived(self._trust)

    def _scan(self) -> Listing:
        settle(self.place)
        return generations.scan(
            self.place, self.name, vouched=self._vouched, expire_s=self._expire_s
        )

    def _require_own_process(self) -> None:
        if os.getpid() != self._pid:
            raise StoreError(
                f"the checkpoint {self.name!r} belongs to process {self._pid}, and this is its "
                f"child {os.getpid()}. Nothing was written; make a Checkpoint of another name here."
            )


def _best_first(listing: Listing) -> list[Entry]:
    by_number = {one.number: one for one in listing.entries}
    return [by_number[number] for number in listing.chain]
