"""What a source has more than the log here is taken in: all of it, or nothing.

The rule, which loses no result and adds none twice:

- No log here: the source's, line by line.
- The log here is a beginning of the source: the source goes on with it, whatever it says there.
- Both go on differently behind what they share: the log here stands. Of the source come the results
  of items that have none here, but not where one was taken back here by a retry; and the failures
  of items of which nothing is known here.

All lines are checked, and all large results are, before anything is changed. These come first, into
the file beside the log, where nobody names them yet; then a longer log takes the place of the one
that is here, in one step. A kill before that leaves the log as it was.
"""

from __future__ import annotations

import glob
import json
import os
import time
from collections.abc import Callable, Container, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from resume import notices
from resume.errors import IntegrityError, StoreError, SweepError, TrustError
from resume.store import files, trust
from resume.sweep import lines, record
from resume.sweep.lines import TAIL, Lines
from resume.sweep.log import Log, beside, new_head, telling
from resume.sweep.source import Source

Row: TypeAlias = tuple[str, str, int]
"""Of a line: its key, its kind as `lines.Lines` tells it, and where it begins."""

_RESULTS = "rps"
_RETRY = "t"
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class News:
    """What one log has more than another."""

    shared: int
    """Bytes that both begin with, in whole lines."""
    is_ahead: bool
    """The other is a beginning of this one: all lines behind it are news."""
    rows: tuple[Row, ...]
    """The lines that the other lacks: key, kind, and where each begins."""
    torn: int = 0
    """Bytes behind the last whole line, where the other knows nothing of them."""

    @property
    def results(self) -> int:
        """How many of the lines are results."""
        return sum(kind in _RESULTS for _, kind, _ in self.rows)


def take_in(
    ours: Path,
    source: Source,
    *,
    name: str,
    known: Container[str],
    refuses_others: bool,
    trusted: bool | None,
    folder: Path | None = None,
) -> None:
    """Let the log at *ours* have what *source* has more: all of it, or nothing after an error.

    Args:
        ours: The log; made where it is missing.
        source: Stays as it is.
        name: Of the sweep.
        known: Keys of its items.
        refuses_others: Results of items of another sweep are an error.
        trusted: Accept results that somebody else may have pickled.
        folder: The folder of checkpoints that the log is to lie in, if it is.

    Raises:
        SweepError: The source is the log of another sweep.
        IntegrityError: A line or a large result of it is not what was written, or missing.
        SchemaVersionError: A later release wrote it.
        TrustError: A result in it is a pickle, and somebody else may have written it.
        StoreError: The disk refused.
    """

    def look() -> tuple[News, Log]:
        news, theirs = news_in(source.log, ours, shown=source.shown)
        if refuses_others:
            _refuse_others(source, news, known)
        if source.doubt is not None and not trust.is_waived(trusted):
            _refuse_pickles(source, theirs, news)
        return news, theirs

    news, theirs = look()
    if news.torn:
        notices.warn(
            f"{source.shown}: the last line ({news.torn} bytes) was torn by a crash, or is still "
            "being written: it is left out, and its item runs here"
        )
    if not news.rows:
        return
    _tell_lost_end(source, theirs)
    if any(kind == "s" for _, kind, _ in news.rows):
        source.bring_results()
    log = Log(ours, new_head(name, 0), lambda _: None)
    if folder is not None:
        with telling(f"write {folder}"):
            files.ensure_folder(log.disk, folder)
    try:
        with log.held(), telling(f"take {source.shown} into {ours}"):
            news, theirs = look()  # now nobody adds to ours
            if news.rows:  # else another launch has taken it in
                _join(log, theirs, news)
    finally:
        log.forget()
    notices.say("the sweep %s: %d results are taken from %s", name, news.results, source.shown)


def _tell_lost_end(source: Source, theirs: Log) -> None:
    """Say so where the manifest beside the source tells of more lines."""
    try:
        record.check(source.log, theirs.size)
    except IntegrityError:
        notices.warn(
            f"{source.shown} has lost its end: the manifest beside it tells of more than the "
            f"{theirs.size} bytes that are left. They are taken in; what is missing runs here"
        )


def _refuse_others(source: Source, news: News, known: Container[str]) -> None:
    others = dict.fromkeys(key for key, _, _ in news.rows if key not in known)
    if others:
        raise SweepError(
            f"{source.shown} is the log of another sweep: {len(others)} items in it are none of "
            f"this one's, the first is {next(iter(others))!r}. Nothing was taken in or changed. "
            "Give the source of this sweep; or have those results lie in the log and leave them "
            "out, with on_change='continue'."
        )


def _refuse_pickles(source: Source, theirs: Log, news: News) -> None:
    for key, kind, start in news.rows:
        if kind == "p" or (kind == "s" and theirs.line_at(start)["form"] == "pickle"):
            raise TrustError(
                f"{source.shown} is not trusted: {source.doubt}. The result of {key!r} in it is a "
                "pickle. Nothing of it was unpickled, taken in or changed.\nIf you know who wrote "
                "it: trust=True or RESUME_TRUST=1, or take a copy of your own with chown and chmod "
                "o-w."
            )


# --- comparing ------------------------------------------------------------------------------------


def news_in(theirs: Path, ours: Path, *, shown: str | None = None) -> tuple[News, Log]:
    """What the log at *theirs* has more than that at *ours*, and that log; neither is changed.

    Raises:
        IntegrityError: A line of one of them is not what was written.
        SchemaVersionError: A later release wrote one.
        StoreError: The disk refused.
    """
    with telling(f"read {shown or theirs}"):
        shared = _shared(theirs, ours)
        size = theirs.stat().st_size
    rows, log = _read(theirs, lambda _, start: start >= shared, shown=shown)
    _, mine = _read(ours, lambda _key, _start: False)
    is_ahead = mine.size == shared
    if not is_ahead:
        rows = _differing(rows, shared, ours)
    torn = size - log.size if is_ahead or log.size > shared else 0
    return News(shared, is_ahead, tuple(rows), torn), log


def _differing(theirs: list[Row], shared: int, ours: Path) -> list[Row]:
    """Of the lines behind what is shared, those that the log at *ours* lacks."""
    last = {row[0]: row for row in theirs}
    mine, _ = _read(ours, lambda key, _: key in last)
    known: dict[str, list[Row]] = {}
    for row in mine:
        known.setdefault(row[0], []).append(row)
    return sorted(
        (row for key, row in last.items() if _is_missing(row, known.get(key, []), shared)),
        key=lambda row: row[2],
    )


def _is_missing(theirs: Row, ours: list[Row], shared: int) -> bool:
    """Whether what *theirs* says of an item is taken, where the log here says *ours* of it.

    A result counts more than none. But where one lies here behind what is shared, and is none any
    more, a retry took it back: it may well be this very result, which was taken in before.
    """
    if not ours:
        return theirs[1] != _RETRY
    if theirs[1] not in _RESULTS or ours[-1][1] in _RESULTS:
        return False
    return not any(kind in _RESULTS and start >= shared for _, kind, start in ours)


def _read(
    path: Path, is_wanted: Callable[[str, int], bool], *, shown: str | None = None
) -> tuple[list[Row], Log]:
    """The wanted lines of a log, and the log; looked at twice before it is called damaged."""
    try:
        return _read_once(path, is_wanted, shown)
    except IntegrityError:  # its writer may have been amid a line
        return _read_once(path, is_wanted, shown)


def _read_once(
    path: Path, is_wanted: Callable[[str, int], bool], shown: str | None
) -> tuple[list[Row], Log]:
    rows: list[Row] = []

    def take(found: Lines) -> None:
        told = zip(found.keys, found.kinds, found.starts, strict=True)
        rows.extend(row for row in told if is_wanted(row[0], row[2]))

    log = Log(path, new_head("", 0), take, only_look=True, shown=shown)
    log.refresh()
    return rows, log


def _shared(one: Path, other: Path) -> int:
    """Bytes that two files both begin with, in whole lines."""
    shared = at = 0
    with suppress(FileNotFoundError), one.open("rb") as left, other.open("rb") as right:
        while (first := left.read(_PIECE)) and (second := right.read(_PIECE)):
            equal = len(first) if first == second else _equal(first, second)
            if (last := first.rfind(b"\n", 0, equal)) >= 0:
                shared = at + last + 1
            at += equal
            if equal < _PIECE:
                break
    return shared


def _equal(first: bytes, second: bytes) -> int:
    """How many bytes are the same at the beginning."""
    low, high = 0, min(len(first), len(second))
    while low < high:
        middle = (low + high + 1) // 2
        if first[:middle] == second[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


# --- joining --------------------------------------------------------------------------------------


def _join(log: Log, theirs: Log, news: News) -> None:
    """Put a log in the place of the one that is held, which has the news as well."""
    disk, target = log.disk, Path(os.path.realpath(log.path))
    for left in target.parent.glob(f".{glob.escape(target.name)}.*.tmp"):
        if files.is_abandoned(left):
            files.discard(disk, left)
    if not log.exists:
        _clear_place(log.path)
    moved = _bring_results(log, theirs, news)
    scratch = files.scratch_beside(target)
    descriptor = disk.create(scratch)
    try:
        try:
            for data in _joined(log, theirs, news, moved):
                disk.write(descriptor, data)
            disk.fsync(descriptor)
        finally:
            os.close(descriptor)
        disk.rename(scratch, target)
    except BaseException:
        files.discard(disk, scratch)
        raise
    disk.sync_folder(target.parent)


def _clear_place(path: Path) -> None:
    """There is no log: what lies beside it is of one that is gone, or of a kill amid all this."""
    if record.path_of(path).exists():
        record.set_aside(path, time.strftime("%Y%m%d-%H%M%S"), keeps_log=True)
    beside(path).unlink(missing_ok=True)


def _bring_results(log: Log, theirs: Log, news: News) -> dict[int, list[Any]]:
    """Put the large results beside the log; those that lie at another place now, by their line."""
    starts = [start for _, kind, start in news.rows if kind == "s"]
    moved: dict[int, list[Any]] = {}
    if not starts:
        return moved
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
    descriptor = os.open(beside(log.path), flags, files.FILE_MODE)
    try:
        end = before = os.fstat(descriptor).st_size
        try:
            for start in starts:
                place = theirs.line_at(start)["stored"]
                offset = max(end, place[0])
                os.lseek(descriptor, offset, os.SEEK_SET)
                log.disk.write(descriptor, memoryview(theirs.stored(place)))
                if offset != place[0]:
                    moved[start] = [offset, *place[1:]]
                end = offset + place[1]
            log.disk.fsync(descriptor)
        except BaseException:
            with suppress(OSError):  # else it stays, and nobody names it
                os.ftruncate(descriptor, before)
            raise
    finally:
        os.close(descriptor)
    return moved


def _joined(log: Log, theirs: Log, news: News, moved: dict[int, list[Any]]) -> Iterator[bytes]:
    """The bytes of the log, and then those of the news."""
    yield from _pieces(log, 0, log.size)
    if news.is_ahead and not moved:
        yield from _pieces(theirs, news.shared, theirs.size)
        return
    if log.exists:
        last = log.bytes_at(log.size - TAIL, log.size)
    else:
        last = theirs.bytes_at(0, news.rows[0][2])  # the head
        yield last
    before = lines.digest_of(last)
    for _, _, start in news.rows:
        text, fields = theirs.text_at(start)
        if start in moved:
            fields["stored"] = moved[start]
            del fields["digest"]
            text = lines.open_end(json.dumps(fields, separators=(",", ":")))
        line = lines.sealed(text, before)
        yield line
        before = lines.digest_of(line)


def _pieces(log: Log, start: int, end: int) -> Iterator[bytes]:
    while start < end:
        data = log.bytes_at(start, min(start + _PIECE, end))
        if not data:
            raise StoreError(f"{log.shown} became shorter while it was read. Nothing was changed.")
        yield data
        start += len(data)
