"""One generation onto the disk: the body, then the manifest, whose appearance is the commit.

The order, and what dying after each step leaves:
1. body under a scratch name, fsync      a scratch file; the next writer removes it
2. body renamed, folder fsync            a body that nobody names; the next writer removes it
3. manifest under a scratch name, fsync  the same, and a scratch file
4. manifest linked to its final name     the new generation, whole
5. folder fsync                          the same, over a power cut too
Older generations are pruned after that, and only then.

Past a broken lock two writers may be here at once. A number is published once, so one of them fails
at step 4 where both took the same number. Where one saw the other's body and took the next number,
it looks for manifests that were not there at its start, before step 4 and after.
"""

from __future__ import annotations

import logging
import os
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from resume.errors import CheckpointBusyError, StoreError
from resume.store import files, layout, trust
from resume.store.body import Body, Load, Target, write_body
from resume.store.extents import Stored
from resume.store.generations import file_names, highest_number
from resume.store.restore import read_own_tables
from resume.store.streams import Lent
from resume.types import BodyRef, Draft, Manifest

_log = logging.getLogger(__name__)

_LINE_BYTES = 8
_MARK_BYTES = 3


@dataclass(frozen=True, slots=True)
class Commission:
    """A generation that is to be written: its number, and what it may lean on."""

    head: layout.Head
    path: Path
    """Of its body."""
    parent: Manifest | None
    seen: tuple[str, ...]
    """Files that were there at the beginning."""
    lent: Lent


def begin_generation(
    target: Target, parent: Manifest | None, previous: tuple[Stored, ...] | None
) -> Commission:
    """Choose number and body of the next generation on top of *parent*.

    Args:
        target: Where and how.
        parent: The generation that this one continues, or None for a new line.
        previous: The parent's buffers as they lie on disk, where the caller still knows them.

    Raises:
        OSError: The disk refused.
    """
    seen = tuple(file_names(target.place))
    number = highest_number(seen) + 1
    line = secrets.token_hex(_LINE_BYTES) if parent is None else parent.line
    stem = None if parent is None else parent.number
    head = layout.Head(line, number, stem, files.host_mark(), os.getpid())
    path = target.place / layout.body_name(number, secrets.token_hex(_MARK_BYTES))
    return Commission(head, path, parent, seen, _lent(target, parent, previous))


def write_generation(
    target: Target, draft: Draft, commission: Commission, load: Load
) -> tuple[Manifest, tuple[Stored, ...]]:
    """Write the generation *commission* with the bytes of *load*.

    Returns:
        The manifest as a reader finds it, and the new generation's buffers as they lie on disk.

    Raises:
        CheckpointBusyError: Another writer is here, past the lock; nothing is left of ours.
        OSError: The disk refused; nothing is left of ours.
    """
    head, path, seen = commission.head, commission.path, commission.seen
    body = write_body(target, path, layout.encode_head(head), load, commission.lent)
    try:
        if target.fsync:
            target.disk.sync_folder(target.place)
        ancestors = _ancestors(commission.parent, seen)
        manifest = _manifest(target.name, draft, head, body, ancestors)
        return _publish(target, manifest, _manifest_names(seen)), body.buffers
    except BaseException:
        if not (target.place / layout.manifest_name(head.number)).exists():
            files.discard(target.disk, path)  # else that manifest may need the body
        raise


def _lent(target: Target, parent: Manifest | None, previous: tuple[Stored, ...] | None) -> Lent:
    """What the new generation may lean on: bodies of the parent that are ours and there in full."""
    if parent is None:
        return Lent()
    try:
        stored = read_own_tables(target.place, parent) if previous is None else previous
    except StoreError as why:
        _log.warning("generation %s is written in full: %s", parent.number + 1, why)
        return Lent()
    return Lent(stored, {body.name: body for body in _usable(target, parent.bodies)})


def _usable(target: Target, bodies: Iterable[BodyRef]) -> Iterator[BodyRef]:
    # A body of somebody else's, read because the user vouched for it, must not make the next
    # generation one that needs vouching for.
    is_ours: dict[tuple[int, int], bool] = {}
    folder = f"{target.place}{os.sep}"  # the program waits for this: up to 64 times
    for body in bodies:
        try:
            found = os.stat(folder + body.name)  # noqa: PTH116
        except OSError:
            continue
        kind = found.st_uid, found.st_mode
        if kind not in is_ours:
            is_ours[kind] = trust.complaint(found) is None
        is_whole = found.st_size == body.size_bytes and body.name not in target.damaged
        if is_whole and is_ours[kind]:
            yield body


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _ancestors(parent: Manifest | None, seen: Sequence[str]) -> tuple[int, ...]:
    if parent is None:
        return ()
    chain = (parent.number, *parent.ancestors)
    return tuple(one for one in chain if layout.manifest_name(one) in seen)


def _manifest(
    name: str, draft: Draft, head: layout.Head, body: Body, ancestors: tuple[int, ...]
) -> Manifest:
    return Manifest(
        schema_version=layout.SCHEMA_VERSION,
        name=name,
        line=head.line,
        number=head.number,
        parent=head.parent,
        created_at=time.time(),
        body=body.ref,
        bodies=body.bodies,
        tables=body.tables,
        draft=draft,
        digest="",
        ancestors=ancestors,
    )


def _publish(target: Target, draft: Manifest, seen: frozenset[str]) -> Manifest:
    record = layout.to_record(draft)
    record["signature"] = trust.sign(record["digest"])
    final = target.place / layout.manifest_name(draft.number)
    payload = layout.encode_manifest(record)
    scratch = files.write_scratch(target.disk, final, payload, fsync=target.fsync)
    ours = scratch.stat()
    try:
        _refuse_others(target, seen, draft.number)
        files.publish(target.disk, scratch, final)
        _refuse_others(target, seen | {final.name}, draft.number, needed=draft.body)
        if target.fsync:
            target.disk.sync_folder(target.place)
    except BaseException as why:
        # A save that failed must not be what a rerun finds.
        if _is_same(final, ours):
            files.discard(target.disk, final)
        if isinstance(why, FileExistsError):
            raise _second_writer(target, draft.number) from why
        raise
    finally:
        files.discard(target.disk, scratch)
    return layout.from_record(record)


def _is_same(path: Path, ours: os.stat_result) -> bool:
    try:
        return os.path.samestat(path.stat(), ours)
    except OSError:
        return False


def _manifest_names(seen: Sequence[str]) -> frozenset[str]:
    return frozenset(one for one in seen if layout.MANIFEST_NAME.fullmatch(one))


def _refuse_others(
    target: Target, seen: frozenset[str], number: int, needed: BodyRef | None = None
) -> None:
    others = _manifest_names(file_names(target.place)) - seen
    if others or (needed and _size_of(target.place / needed.name) != needed.size_bytes):
        raise _second_writer(target, number)


def _second_writer(target: Target, number: int) -> CheckpointBusyError:
    return CheckpointBusyError(
        f"cannot save generation {number} of {target.name!r}: another program writes to "
        f"{target.place} at the same time, although the lock is ours (the file system does not "
        "keep locks, or the lock was removed by hand). What it wrote stands; nothing is left of "
        "ours.\n"
        "Stop one of the two, or give one another name=."
    )
