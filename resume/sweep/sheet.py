"""A sweep as its log alone tells it, without the program: for people, and for other programs.

Nothing is unpickled. The items themselves are not in the log, only their keys; how many there are,
the launch that began the log has said.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resume.errors import ConfigError
from resume.store import decode_name
from resume.sweep import lines, record
from resume.sweep.ledger import MOST_KILLS
from resume.sweep.lines import Lines
from resume.sweep.log import LOG_NAME, Log, beside, new_head

_RESULTS = "rps"
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Row:
    """What the log says last of one item."""

    key: str
    fields: dict[str, Any]
    """Its line."""

    @property
    def is_readable(self) -> bool:
        """Whether the result is no pickle."""
        return "result" in self.fields

    @property
    def shown(self) -> str:
        """Result or failure, in short."""
        fields = self.fields
        if "result" in fields:
            text = json.dumps(fields["result"], ensure_ascii=False)
        elif "error" in fields:
            text = f"{fields['error']['type']}: {fields['error']['text']}"
        elif "killed" in fields:
            text = f"killed its worker {fields['killed']} times"
        else:
            text = f"({fields.get('form', 'pickle')})"
        return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"

    def columns(self) -> dict[str, Any]:
        """The row of a table: key, seconds, at, and the result, a dict by its keys."""
        result = self.fields["result"]
        parts = result if isinstance(result, dict) else {"result": result}
        fixed = {"key": self.key, "seconds": self.fields["seconds"], "at": self.fields["at"]}
        return fixed | {
            name if name not in fixed else f"result.{name}": parts[name] for name in parts
        }


class Sheet:
    """The items that a log knows, each with its last line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._log = Log(path, new_head("", 0), self._take)
        self._last: dict[str, tuple[str, int]] = {}
        """Key -> kind and place of its last line."""

    def read(self) -> Sheet:
        """Read the log, and check it.

        Raises:
            IntegrityError: A line is damaged, or the end is missing.
            SchemaVersionError: A later release wrote it.
            StoreError: The disk refused.
        """
        self._log.refresh()
        record.check(self.path, self._log.size)
        return self

    def retry(self, keys: Sequence[str]) -> int:
        """Make items pending again, those that failed by default; how many.

        Raises:
            ConfigError: The log knows no such key; nothing was changed.
            IntegrityError, SchemaVersionError, StoreError: As for `read`.
        """
        with self._log.writing():
            unknown = [key for key in keys if key not in self._last]
            if unknown:
                raise ConfigError(
                    f"{self.path} has no line for {unknown[0]!r}: it is pending anyway, or none of "
                    "the sweep's. Nothing was changed."
                )
            chosen = keys or [row.key for row in self.failures()]
            for key in chosen:
                fields = {"key": key, "retry": 1, "at": round(time.time(), 3), "seconds": None}
                self._log.append(lines.open_end(json.dumps(fields, separators=(",", ":"))))
        self._log.close()
        return len(chosen)

    @staticmethod
    def name_of(path: Path) -> str:
        """The sweep's name as its place tells it."""
        if path.name != LOG_NAME:
            return path.name.removesuffix(f".{LOG_NAME}")
        try:
            return decode_name(path.parent.name)
        except ConfigError:
            return path.parent.name

    @staticmethod
    def size_of(path: Path) -> int:
        """Bytes of the log, and of the large results beside it."""
        return sum(one.stat().st_size for one in (path, beside(path)) if one.exists())

    def results(self) -> Iterator[Row]:
        """The items that are done, in the order in which they were recorded."""
        return self._rows(_RESULTS)

    def failures(self) -> Iterator[Row]:
        """The items that have failed, those that were set aside among them."""
        for row in self._rows("ek"):
            if row.fields.get("killed", MOST_KILLS) >= MOST_KILLS:
                yield row

    def counts(self) -> dict[str, int]:
        """Items by state; `items` is at least what the log knows."""
        done = sum(kind in _RESULTS for kind, _ in self._last.values())
        failed = sum(kind == "e" for kind, _ in self._last.values())
        aside = sum("killed" in row.fields for row in self.failures())
        items = max(self._log.head.items, len(self._last))
        return {
            "items": items,
            "done": done,
            "failed": failed,
            "set_aside": aside,
            "pending": items - done - failed - aside,
        }

    @property
    def last_at(self) -> float | None:
        """When the last line was written."""
        starts = [start for _, start in self._last.values()]
        return self._log.line_at(max(starts))["at"] if starts else None

    @property
    def rate_per_s(self) -> float | None:
        """Results a second, from the log's beginning to its last line."""
        last, counts = self.last_at, self.counts()
        if last is None or not counts["done"] or last <= self._log.head.created_at:
            return None
        return counts["done"] / (last - self._log.head.created_at)

    def _rows(self, kinds: str) -> Iterator[Row]:
        for key, (kind, start) in self._last.items():
            if kind in kinds:
                fields = self._log.line_at(start)
                if fields.get("form") == "json":
                    fields["result"] = json.loads(self._log.stored(fields["stored"]))
                yield Row(key, fields)

    def _take(self, found: Lines) -> None:
        for key, kind, start in zip(found.keys, found.kinds, found.starts, strict=True):
            self._last.pop(key, None)  # the order is that of the last lines
            self._last[key] = (kind, start)
