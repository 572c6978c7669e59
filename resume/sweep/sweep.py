"""`ResumableSweep`: many independent items, each recorded once, whatever dies in between."""

from __future__ import annotations

import json
import os
import sys
import time
from array import array
from collections.abc import Callable, Hashable, Iterable, Iterator
from pathlib import Path
from typing import Any, Self

from resume import notices
from resume.call import fill_name
from resume.errors import ConfigError, SweepError
from resume.store import encode_name, files, find_folder
from resume.store.files import Disk
from resume.sweep import lines, payload, record
from resume.sweep.keys import Keys, places, shown
from resume.sweep.lines import Lines
from resume.sweep.log import Log, new_head, telling
from resume.sweep.payload import Packed
from resume.sweep.results import Failure, Results, packed_in

PENDING, DONE, FAILED, ASIDE, AGAIN = range(5)
"""State of an item; `AGAIN` failed in an earlier launch, and is tried again in this one."""
MOST_KILLS = 3

LOG_NAME = "sweep.jsonl"
_CHANGES = ("refuse", "continue")


class ResumableSweep:
    """Many independent items: a relaunch replays those that are finished, and runs only the rest.

    Args:
        items: What is to be done, in order; any objects. They are kept in memory, results are not.
        key: Gives the unique id of an item: text, a number, or what JSON can say. By default the
            item itself where it is short, else a digest of its value.
        checkpoint_path: A file of yours that the sweep belongs to; the log lies beside it, as
            `<checkpoint_path>.sweep.jsonl`. By default it lies in the folder of checkpoints.
        name: What the sweep is called; by default the name of `checkpoint_path` or of the script.
        folder: Folder of checkpoints, as for `Checkpoint`.
        durable: `True`: a result is on the disk when `record` returns. `"batch"`: the disk is
            waited for about once a second; a killed program loses nothing, a power cut what came
            after that.
        on_change: What to do where the log holds results of items that are none of this sweep:
            `"refuse"`, or `"continue"`, which leaves them in the log and out of the results.
        clean: Set aside what is there and start anew.
        trust: Accept results that somebody else may have pickled.

    Raises:
        ConfigError: A parameter cannot work, or two items have one key; nothing was read.
        SweepError: The log belongs to another sweep; it is as it was.
        IntegrityError: A line of the log is damaged; the text names it.
        SchemaVersionError: A later release wrote the log.
    """

    def __init__(
        self,
        items: Iterable[Any],
        *,
        key: Callable[[Any], Hashable] | None = None,
        checkpoint_path: str | os.PathLike[str] | None = None,
        name: str | None = None,
        folder: str | os.PathLike[str] | None = None,
        durable: bool | str = True,
        on_change: str = "refuse",
        clean: bool = False,
        trust: bool | None = None,
    ) -> None:
        _check(key, durable, on_change)
        notices.install()
        self._items = list(items)
        self._keys = Keys(self._items, key)
        self.name = _name(name, checkpoint_path)
        self.path, self._folder = _place(self.name, checkpoint_path, folder)
        self._trust = trust
        self._states = bytearray(len(self._items))
        self._left = len(self._items)
        """Items without a result."""
        self._starts: array[int] = places(len(self._items))
        self._kills: dict[int, int] = {}
        self._strangers: dict[str, None] = {}
        self._log = Log(
            self.path,
            new_head(self.name, len(self._items)),
            self._take,
            in_batches=durable == "batch",
        )
        self._open(on_change, clean=clean)

    # --- what there is ---------------------------------------------------------------------------

    @property
    def completed(self) -> Results:
        """Results of the finished items, in the order of the items, read when looked at."""
        return Results(self._in(DONE), self._result_at)

    @property
    def pending(self) -> list[Any]:
        """The items that are left, in order, those that failed in an earlier launch among them."""
        return [self._items[place] for place in self._in(PENDING, AGAIN)]

    @property
    def failed(self) -> list[Failure]:
        """What is known of the items that have failed, in their order."""
        return [self._failure_at(place) for place in self._in(FAILED, ASIDE, AGAIN)]

    def pairs(self) -> Iterator[tuple[Any, Any]]:
        """Every finished item with its result, in the order of the items."""
        for place in self._in(DONE):
            yield self._items[place], self._result_at(place)

    def result(self, item: Any) -> Any:
        """The result of *item*.

        Raises:
            SweepError: It is none of the sweep's, or has no result yet.
        """
        place = self._place(item)
        if self._states[place] != DONE:
            raise SweepError(f"{shown(item)} has no result yet in the sweep {self.name!r}")
        return self._result_at(place)

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)

    def __repr__(self) -> str:
        counts = self._counts()
        parts = [f"{counts['done']} of {counts['items']} done"]
        parts += [f"{counts[name]} {name}" for name in ("failed", "pending") if counts[name]]
        if counts["set_aside"]:
            parts.append(f"{counts['set_aside']} set aside")
        return f"<ResumableSweep {self.name}: {', '.join(parts)}>"

    def _counts(self) -> dict[str, int]:
        states = self._states
        return {
            "items": len(states),
            "done": states.count(DONE),
            "failed": states.count(FAILED) + states.count(AGAIN),
            "set_aside": states.count(ASIDE),
            "pending": states.count(PENDING),
        }

    # --- recording -------------------------------------------------------------------------------

    def record(self, item: Any, result: Any) -> None:
        """Record the result of *item*; it is durable when this returns.

        Raises:
            SweepError: *item* is none of the sweep's, or has a result already, which stands.
            UnpicklableError: *result* cannot be kept; *item* stays pending.
            StoreError: The disk refused; what was recorded before is safe.
        """
        place = self._place(item)
        if not self._record(place, payload.pack(result), None):
            raise SweepError(
                f"{shown(item)} has a result already in the sweep {self.name!r}. It stands, and "
                "this one was not recorded; loop over sweep.pending."
            )

    def _record(self, place: int, packed: Packed, seconds: float | None) -> bool:
        """Record a result; whether there was none yet."""
        with self._writing():
            if self._states[place] == DONE:
                return False
            if packed.is_small:
                is_plain = packed.form == "json"
                name = "result" if is_plain else "pickle"
                text = packed.data.decode() if is_plain else f'"{payload.to_text(packed.data)}"'
                self._append(place, f'"{name}":{text}', DONE, seconds)
            else:
                told = json.dumps(self._log.store(packed.data))
                self._append(place, f'"stored":{told},"form":"{packed.form}"', DONE, seconds)
        if not self._left:
            self._write_manifest()
        return True

    def _record_failure(self, place: int, why: dict[str, str], seconds: float | None) -> None:
        with self._writing():
            if self._states[place] != DONE:
                self._append(place, f'"error":{json.dumps(why)}', FAILED, seconds)

    def _record_kill(self, place: int) -> int:
        """Record that the item killed its worker once more; how often it has."""
        with self._writing():
            kills = self._kills[place] = self._kills.get(place, 0) + 1
            state = ASIDE if kills >= MOST_KILLS else PENDING
            if self._states[place] != DONE:
                self._append(place, f'"killed":{kills}', state, None)
        return kills

    def _append(self, place: int, said: str, state: int, seconds: float | None) -> None:
        key = json.dumps(self._keys.texts[place])
        took = "null" if seconds is None else f"{seconds:.6g}"
        text = f'{{"key":{key},{said},"at":{time.time():.3f},"seconds":{took}}}'
        self._starts[place] = self._log.append(lines.open_end(text))
        self._states[place] = state
        self._left -= state == DONE

    def _writing(self) -> Any:
        if not self._log.exists and self._folder is not None:
            files.ensure_folder(Disk(), self._folder)
        return self._log.writing()

    def flush(self) -> None:
        """Wait until everything that was recorded is on the disk.

        Raises:
            StoreError: The disk refused.
        """
        self._log.flush()

    def close(self) -> None:
        """Bring the log and its manifest to the disk, and let go of the files.

        Raises:
            StoreError: The disk refused.
        """
        try:
            if self._log.exists and not self._log.is_read_only:
                self._write_manifest()
        finally:
            self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _write_manifest(self) -> None:
        self._log.flush()
        with telling(f"write {record.path_of(self.path)}"):
            record.write(self.path, self._log.head, self._counts(), name=self.name)

    # --- reading ---------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Take in what other processes have recorded meanwhile.

        Raises:
            IntegrityError: A line of the log is damaged.
            StoreError: The disk refused.
        """
        self._log.refresh()

    def _open(self, on_change: str, *, clean: bool) -> None:
        if clean:
            self._set_aside()
        self._log.refresh()
        with telling(f"read {record.path_of(self.path)}"):
            record.check(self.path, self._log.size)
        if self._strangers:
            self._meet_strangers(on_change)
        self._states = self._states.replace(bytes([FAILED]), bytes([AGAIN]))
        if self._log.exists:
            counts = self._counts()
            notices.say(
                "↻ continuing the sweep %s: %d of %d items are done%s",
                self.name, counts["done"], counts["items"],
                f", {counts['failed']} failed and are tried again" if counts["failed"] else "",
            )  # fmt: skip

    def _set_aside(self) -> None:
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

    def _in(self, *wanted: int) -> list[int]:
        return [place for place, state in enumerate(self._states) if state in wanted]

    def _place(self, item: Any) -> int:
        place = self._keys.index.get(self._keys.of(item))
        if place is None:
            raise SweepError(
                f"{shown(item)} is none of the {len(self)} items of the sweep {self.name!r}. "
                "Nothing was recorded."
            )
        return place

    def _result_at(self, place: int) -> Any:
        fields = self._log.line_at(self._starts[place])
        if "result" in fields:
            return fields["result"]
        return payload.unpack(packed_in(self._log, fields, trusted=self._trust))

    def _failure_at(self, place: int) -> Failure:
        fields = self._log.line_at(self._starts[place])
        why = fields.get("error") or {
            "type": "WorkerKilled",
            "text": f"the process that worked on it was killed {fields.get('killed')} times",
            "traceback": "",
        }
        return Failure(
            self._items[place],
            self._keys.texts[place],
            **why,
            at=fields["at"],
            is_set_aside=self._states[place] == ASIDE,
        )


def _check(key: object, durable: object, on_change: object) -> None:
    if key is not None and not callable(key):
        raise ConfigError(f"key={key!r}: give a function of an item, as key=lambda c: c['label']")
    if durable is not True and durable != "batch":
        raise ConfigError(f"durable={durable!r} is unknown: choose True or 'batch'")
    if on_change not in _CHANGES:
        listed = ", ".join(map(repr, _CHANGES))
        raise ConfigError(f"on_change={on_change!r} is unknown: choose one of {listed}")


def _name(given: str | None, checkpoint_path: str | os.PathLike[str] | None) -> str:
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    default = Path(checkpoint_path or script or "sweep").stem
    return default if given is None else fill_name(given, default, {})


def _place(
    name: str,
    checkpoint_path: str | os.PathLike[str] | None,
    folder: str | os.PathLike[str] | None,
) -> tuple[Path, Path | None]:
    """The log, and the folder of checkpoints that it lies in, if it does."""
    if checkpoint_path is not None:
        base = Path(os.path.abspath(checkpoint_path))  # noqa: PTH100 - no link is resolved
        return base.with_name(f"{base.name}.{LOG_NAME}"), None
    found, _ = find_folder(None if folder is None else os.fspath(folder))
    return found / encode_name(name) / LOG_NAME, found
