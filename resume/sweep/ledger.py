"""What is recorded of each item of a sweep: its state in memory, all else in the log."""

from __future__ import annotations

import json
import os
import time
from array import array
from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from resume import notices
from resume.errors import ConfigError, SweepError
from resume.store import encode_name, files
from resume.store.files import Disk
from resume.sweep import lines, payload, record, source, taking
from resume.sweep.keys import Keys, places, shown
from resume.sweep.lines import Lines
from resume.sweep.log import LOG_NAME, Log, new_head, telling
from resume.sweep.mirror import Mirror
from resume.sweep.payload import Packed
from resume.sweep.results import Failure, packed_in

PENDING, DONE, FAILED, ASIDE, AGAIN = range(5)
"""State of an item; `AGAIN` failed in an earlier launch, and is tried again in this one."""
MOST_KILLS = 3


class Ledger:
    """The items, and what the log at *path* says of them. Items are named by their place.

    Args:
        name: What the sweep is called.
        items: All of them.
        key: Gives the id of an item.
        path: The log.
        folder: The folder of checkpoints that it lies in, if it does.
        in_batches: Nobody waits for the disk at each line.
        trust: Accept results that somebody else may have pickled.

    Raises:
        ConfigError: Two items have one key.
    """

    def __init__(
        self,
        name: str,
        items: Sequence[Any],
        key: Callable[[Any], Hashable] | None,
        path: Path,
        folder: Path | None,
        *,
        in_batches: bool,
        trust: bool | None,
    ) -> None:
        self.name = name
        self.items = items
        self.path = path
        self._keys = Keys(items, key)
        self._folder = folder
        self._trust = trust
        self._states = bytearray(len(items))
        self._left = len(items)
        """Items without a result."""
        self._starts: array[int] = places(len(items))
        self._kills: dict[int, int] = {}
        self._strangers: dict[str, None] = {}
        self._has_manifest = False
        """Whether one stands beside the log; it tells how long that was at the end of a launch."""
        self._log = Log(path, new_head(name, len(items)), self._take, in_batches=in_batches)
        self._mirror: Mirror | None = None

    # --- looking ---------------------------------------------------------------------------------

    def key(self, place: int) -> str:
        """The key of the item at *place*."""
        return self._keys.texts[place]

    def place(self, item: Any) -> int:
        """Where *item* stands among the items.

        Raises:
            SweepError: It is none of them.
        """
        place = self._keys.index.get(self._keys.of(item))
        if place is None:
            raise SweepError(
                f"{shown(item)} is none of the {len(self.items)} items of the sweep "
                f"{self.name!r}. Nothing was recorded."
            )
        return place

    def places(self, *states: int) -> list[int]:
        """Where the items in one of *states* stand, in order."""
        return [place for place, state in enumerate(self._states) if state in states]

    def is_done(self, place: int) -> bool:
        """Whether there is a result, as far as the log was read."""
        return self._states[place] == DONE

    def is_open(self, place: int) -> bool:
        """Whether the item is to be worked on, as far as the log was read."""
        return self._states[place] in (PENDING, AGAIN)

    def counts(self) -> dict[str, int]:
        """Items by state; those that are tried again count as failed."""
        states = self._states
        return {
            "items": len(states),
            "done": len(states) - self._left,
            "failed": states.count(FAILED) + states.count(AGAIN),
            "set_aside": states.count(ASIDE),
            "pending": states.count(PENDING),
        }

    def result(self, place: int) -> Any:
        """The result of an item that is done.

        Raises:
            IntegrityError: Its bytes are not those that were written.
            TrustError: It is a pickle that somebody else may have written.
            StoreError: The disk refused.
        """
        fields = self._log.line_at(self._starts[place])
        if "result" in fields:
            return payload.typed(fields["result"], fields.get("types", ()))
        return payload.unpack(packed_in(self._log, fields, trusted=self._trust))

    def failure(self, place: int) -> Failure:
        """What is known of an item that has failed.

        Raises:
            IntegrityError, StoreError: As for `result`.
        """
        fields = self._log.line_at(self._starts[place])
        why = fields.get("error") or {
            "type": "WorkerKilled",
            "text": f"the process that worked on it was killed {fields.get('killed')} times",
            "traceback": "",
        }
        is_aside = self._states[place] == ASIDE
        return Failure(
            self.items[place], self.key(place), **why, at=fields["at"], is_set_aside=is_aside
        )

    # --- recording -------------------------------------------------------------------------------

    def keep(self, place: int, packed: Packed, seconds: float | None) -> bool:
        """Record a result; False where there was one already, which stands.

        Raises:
            StoreError: The disk refused.
        """
        with self.writing():
            if self.is_done(place):
                return False
            types = f',"types":{packed.types}' if packed.types else ""
            if packed.is_small:
                is_plain = packed.form == "json"
                name = "result" if is_plain else "pickle"
                text = packed.data.decode() if is_plain else f'"{payload.to_text(packed.data)}"'
                self._append(place, f'"{name}":{text}{types}', DONE, seconds)
            else:
                told = json.dumps(self._log.store(packed.data))
                self._append(place, f'"stored":{told},"form":"{packed.form}"{types}', DONE, seconds)
        self._copy()
        if not self._left:
            self.end_launch()
        return True

    def keep_failure(self, place: int, why: dict[str, str], seconds: float | None) -> None:
        """Record that an item failed, where it has no result.

        Raises:
            StoreError: The disk refused.
        """
        with self.writing():
            if not self.is_done(place):
                self._append(place, f'"error":{json.dumps(why)}', FAILED, seconds)
        self._copy()

    def keep_kill(self, place: int) -> int:
        """Record that an item killed its worker once more; how often it has.

        Raises:
            StoreError: The disk refused.
        """
        with self.writing():
            kills = self._kills[place] = self._kills.get(place, 0) + 1
            state = ASIDE if kills >= MOST_KILLS else PENDING
            if not self.is_done(place):
                self._append(place, f'"killed":{kills}', state, None)
        self._copy()
        return kills

    def retry(self, chosen: Sequence[int]) -> None:
        """Make items pending again, whatever was recorded of them.

        Raises:
            StoreError: The disk refused.
        """
        with self.writing():
            for place in chosen:
                self._left += self.is_done(place)
                self._kills.pop(place, None)
                self._append(place, '"retry":1', PENDING, None)
        self._copy()

    def writing(self) -> AbstractContextManager[None]:
        """Hold the log: what others recorded has been read, and nobody records meanwhile."""
        if not self._log.exists and self._folder is not None:
            files.ensure_folder(Disk(), self._folder)
        return self._log.writing()

    def _copy(self) -> None:
        """Let the copy elsewhere follow, as soon as what was written is on the disk."""
        if self._mirror is not None and self._log.is_synced:
            self._mirror.follow()

    def _append(self, place: int, said: str, state: int, seconds: float | None) -> None:
        key = json.dumps(self.key(place))
        took = "null" if seconds is None else f"{seconds:.6g}"
        text = f'{{"key":{key},{said},"at":{time.time():.3f},"seconds":{took}}}'
        self._starts[place] = self._log.append(lines.open_end(text))
        self._states[place] = state
        self._left -= state == DONE
        if not self._has_manifest:
            self.write_manifest()

    def flush(self) -> None:
        """Wait until everything that was recorded is on the disk.

        Raises:
            StoreError: The disk refused.
        """
        self._log.flush()
        if self._mirror is not None:
            self._mirror.follow(to_the_end=True)

    def write_manifest(self) -> None:
        """Bring the log, and the manifest that tells of it, to the disk.

        Raises:
            StoreError: The disk refused.
        """
        self._has_manifest = True
        self._log.flush()
        with telling(f"write {record.path_of(self.path)}"):
            record.write(
                self.path, self._log.head, self.counts(), name=self.name, size=self._log.size
            )

    def end_launch(self) -> None:
        """Bring what a launch has recorded to the disk, and tell of it in the manifest.

        Raises:
            StoreError: The disk refused.
        """
        if self._log.exists and not self._log.is_read_only:
            self.write_manifest()
            if self._mirror is not None:
                self._mirror.follow(to_the_end=True)

    def close(self) -> None:
        """Write the manifest, if anything was recorded, and let go of the files.

        Raises:
            StoreError: The disk refused.
        """
        try:
            self.end_launch()
        finally:
            self._log.close()
            if self._mirror is not None:
                self._mirror.end()

    # --- reading ---------------------------------------------------------------------------------

    def take_in(self, resume_from: str, on_change: str) -> None:
        """Let the log have what it lacks of another one, before it is opened.

        Raises:
            SweepError: It is that of other items, and *on_change* does not allow that.
            IntegrityError, SchemaVersionError, TrustError, StoreError: As for `taking.take_in`;
                StoreError also where it cannot be told whether there is one.
        """
        inside = (f"{encode_name(self.name)}/{LOG_NAME}", LOG_NAME, self.path.name)
        with source.opened(resume_from, inside) as found:
            if found is None:
                notices.say(
                    "the sweep %s: there is nothing at %s to go on from; it goes by the log here",
                    self.name, resume_from,
                )  # fmt: skip
                return
            taking.take_in(
                self.path,
                found,
                name=self.name,
                known=self._keys.index,
                refuses_others=on_change == "refuse",
                trusted=self._trust,
                folder=self._folder,
            )

    def open(self, on_change: str) -> None:
        """Read the log, if there is one.

        Raises:
            SweepError: It is that of other items, and *on_change* does not allow that.
            IntegrityError: A line of it is damaged.
            SchemaVersionError: A later release wrote it.
            StoreError: The disk refused.
        """
        self._log.refresh()
        with telling(f"read {record.path_of(self.path)}"):
            self._has_manifest = record.check(self.path, self._log.size) is not None
        if self._strangers:
            self._meet_strangers(on_change)
        self._states = self._states.replace(bytes([FAILED]), bytes([AGAIN]))
        if self._log.exists:
            counts = self.counts()
            notices.say(
                "↻ continuing the sweep %s: %d of %d items are done%s",
                self.name, counts["done"], counts["items"],
                f", {counts['failed']} failed and are tried again" if counts["failed"] else "",
            )  # fmt: skip

    def mirror_to(self, folder: Path, *, sets_aside: bool) -> None:
        """From now on keep a copy in *folder*, the log being open.

        Args:
            folder: Of any number of sweeps; this one has a folder of its own in it.
            sets_aside: Rename what is there, where it is not the copy of this log.

        Raises:
            ConfigError: It is where the log itself lies.
            SweepError: What is there holds results that the log lacks.
            SchemaVersionError: A later release wrote what is there.
        """
        path = folder / encode_name(self.name) / LOG_NAME
        if os.path.realpath(path) == os.path.realpath(self.path):
            raise ConfigError(
                f"snapshot_dir={str(folder)!r} is where the log itself lies: a copy there would "
                "not survive it. Give a folder on another disk."
            )
        self._mirror = Mirror(self._log, path)
        self._mirror.check(sets_aside=sets_aside)

    def refresh(self) -> None:
        """Take in what others have recorded since.

        Raises:
            IntegrityError, StoreError: As for `open`.
        """
        self._log.refresh()

    def set_aside(self) -> None:
        """Rename what is there, and say so.

        Raises:
            StoreError: The disk refused.
        """
        with telling(f"set aside {self.path}"):
            moved = record.set_aside(self.path, time.strftime("%Y%m%d-%H%M%S"))
        if moved:
            notices.say("the sweep %s begins anew: set aside as %s", self.name, moved[-1])

    def _meet_strangers(self, on_change: str) -> None:
        count, first = len(self._strangers), next(iter(self._strangers))
        known = len(self._states) - self._states.count(PENDING)
        if on_change == "refuse":
            raise SweepError(
                f"{self.path} is the log of another sweep: {count} items in it are none of this "
                f"one's, the first is {first!r}; {known} are. Nothing was changed. Give this sweep "
                "a name= or checkpoint_path= of its own; or leave those results out with "
                "on_change='continue'; or set the log aside with clean=True."
            )
        notices.say(
            "%s: %d items in the log are none of this sweep's, and are left out; the first is %s",
            self.name, count, first,
        )  # fmt: skip

    def _take(self, found: Lines) -> None:
        get, states, starts = self._keys.index.get, self._states, self._starts
        for key, kind, start in zip(found.keys, found.kinds, found.starts, strict=True):
            place = get(key)
            if place is None:
                self._strangers[key] = None
                continue
            starts[place] = start
            was_done = states[place] == DONE
            if kind in "rps":
                states[place] = DONE
                self._left -= not was_done
                continue
            self._left += was_done
            if kind == "e":
                states[place] = FAILED
            elif kind == "k":
                kills = self._kills[place] = self._log.line_at(start)["killed"]
                states[place] = ASIDE if kills >= MOST_KILLS else PENDING
            else:
                self._kills.pop(place, None)
                states[place] = PENDING
