"""Which generations runs have died of, right after they restored them: `restores`, beside the lock.

Goal: a state that kills whoever goes on from it (a parameter that is no number any more, an input
that crashes a library) must not do so for ever, where a scheduler starts the program again each
time.

What does not work: to count restores. A machine that is taken away every hour, from a program that
saves every two, restores the same generation each time, and nothing is wrong with it. Nor can the
next run tell how long the one before has lived: a killed process leaves no time of death.

What we do: one JSON line for each restore, written before a byte of the generation is read, and one
more when that run has lived for a minute, or has ended otherwise than by dying. A restore without
its second line is a death. The next save removes the file. The line is late by no clock that
people set, and a line that nobody can read counts for nothing: this must never be why a restore
fails.

What can still go wrong: a run that is killed on purpose within its first minute has died, as far
as anybody can tell. So has one that ends by an error which has nothing to do with its state. What
was stepped over stays on the disk, so nothing is lost by that.
unit/store/test_restores.py and crash/test_crash_loops.py prove what stands here.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from resume.errors import Preempted, ResumeError
from resume.store import files, trust
from resume.store.generations import read_regular
from resume.store.threads import Delayed
from resume.types import Manifest

NAME = "restores"
DEATHS = 3
"""So many runs have to die of a generation before it is stepped over."""
SURVIVED_S = 60.0
"""Who lives so long behind a restore does not die of what was restored."""

_MOST_BYTES = 1 << 20
_MOST_TOLD = 100
"""Lines of one generation that are kept."""
_log = logging.getLogger(__name__)
_process = (0, "")


@dataclass(frozen=True, slots=True)
class Death:
    """A restore that no end is known of."""

    generation: int
    digest: str
    """Of the manifest: numbers are told again where a folder was cleared."""
    program: str
    """What tells the code from other code; empty where nothing does."""
    run: str
    """The process: several tries of one are one death."""
    at: str
    """When it was restored, for people."""


class Restores:
    """The restores of one place; used only while its lock is held, but for `read`."""

    def __init__(self, disk: files.Disk, place: Path, *, fsync: bool) -> None:
        self.path = place / NAME
        self._disk, self._fsync = disk, fsync
        self._pid = os.getpid()
        self._noted: Death | None = None
        self._began = 0.0
        self._is_told = self._is_there = False
        self._delayed: Delayed | None = None

    def deaths(self, program: str) -> dict[str, int]:
        """How many runs of that program died of which generation, by the manifest's digest."""
        runs: dict[str, set[str]] = {}
        for death in self._read():
            if death.program == program:
                runs.setdefault(death.digest, set()).add(death.run)
        return {digest: len(found) for digest, found in runs.items()}

    def begin(self, manifest: Manifest, program: str) -> None:
        """Note that *manifest* is restored now; a result, which nothing goes on from, is not."""
        self._let_go()
        if manifest.draft.complete:
            return
        at = datetime.now(UTC).isoformat(timespec="seconds")
        noted = Death(manifest.number, manifest.digest, program, run_of_now(), at)
        try:
            files.write_atomic(
                self._disk, self.path, _lines([*self._read(), noted]), fsync=self._fsync
            )
        except OSError as why:
            _log.warning(
                "cannot note in %s that generation %d is restored: %s. Should it kill the program "
                "again and again, nobody will know", self.path, noted.generation, files.reason(why),
            )  # fmt: skip
            return
        self._noted, self._is_there, self._is_told = noted, True, False
        self._began = time.monotonic()
        self._delayed = Delayed(self._survive, SURVIVED_S)
        if not self._delayed.start():
            self._survive()  # who cannot tell how long it lives does not accuse

    def saved(self) -> None:
        """A generation was saved: whatever was restored before, the program came on from there.

        Raises:
            OSError: The disk refused.
        """
        if self._noted is None and not self._is_there:
            return
        self._let_go()
        with suppress(FileNotFoundError):
            self._disk.unlink(self.path)
        self._is_there = False

    def end(self, *, died: bool) -> None:
        """The run ends; safe to call again."""
        noted, is_told = self._noted, self._is_told
        if noted is None or os.getpid() != self._pid:
            return
        if not died:
            self._survive()
        elif is_told and time.monotonic() - self._began < SURVIVED_S:
            self._append(_line(asdict(noted)))  # it was told too early, and is known better now
        self._let_go()

    def _let_go(self) -> None:
        delayed, self._delayed, self._noted = self._delayed, None, None
        if delayed is not None:
            delayed.cancel()

    def _survive(self) -> None:
        """Tell that the run lives, or has ended well. In the thread that waits for it, too."""
        noted = self._noted
        if noted is not None and not self._is_told:
            self._is_told = True
            self._append(_line({"survived": noted.digest, "run": noted.run}))

    def _append(self, line: bytes) -> None:
        # The file is never made here: a save may have removed it, and the folder with it. One line
        # goes to the disk in one call; where it is torn, it counts for nothing.
        flags = os.O_WRONLY | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)
        with suppress(OSError):
            descriptor = os.open(self.path, flags | getattr(os, "O_NOFOLLOW", 0))
            try:
                self._disk.write(descriptor, line)
            finally:
                os.close(descriptor)

    def _read(self) -> list[Death]:
        """The deaths that are told, oldest first; none where nobody could have told them."""
        try:
            if self.path.lstat().st_size > _MOST_BYTES:
                return []
            data, found = read_regular(self.path)
        except (OSError, ResumeError):
            return []
        self._is_there = True
        return _deaths(data.splitlines()) if trust.complaint(found) is None else []


def _deaths(lines: Iterable[bytes]) -> list[Death]:
    found: list[Death] = []
    for line in lines:
        record = _record(line)
        if "survived" in record:
            digest = record["survived"]
            found = [death for death in found if death.digest != digest]
            continue
        with suppress(TypeError):  # not one of ours
            death = Death(**record)
            if all(
                isinstance(value, str) for name, value in record.items() if name != "generation"
            ):
                found.append(death)
    return found


def _record(line: bytes) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):  # torn, or somebody else's
        return {}
    return record if isinstance(record, dict) else {}


def _lines(deaths: Iterable[Death]) -> bytes:
    kept: dict[tuple[str, str], Death] = {}
    for death in deaths:
        kept[death.digest, death.run] = death  # the last of each process
    told: dict[str, list[Death]] = {}
    for death in kept.values():
        told.setdefault(death.digest, []).append(death)
    return b"".join(_line(asdict(death)) for each in told.values() for death in each[-_MOST_TOLD:])


def _line(record: Mapping[str, object]) -> bytes:
    return json.dumps(record).encode() + b"\n"


def run_of_now() -> str:
    """What tells this process from every other."""
    global _process  # noqa: PLW0603 - one for each process
    pid = os.getpid()
    if _process[0] != pid:
        _process = (pid, f"{pid}-{files.host_mark()}-{secrets.token_hex(4)}")
    return _process[1]


def is_death(why: BaseException | None) -> bool:
    """Whether a program that ends by *why* has died, rather than been ended by somebody.

    Our own errors are no deaths: they say what was refused, and a state that is refused must stay
    the newest until somebody has decided.
    """
    if isinstance(why, SystemExit):
        return why.code not in (None, 0) and not isinstance(why, Preempted)
    return isinstance(why, Exception) and not isinstance(why, ResumeError)
