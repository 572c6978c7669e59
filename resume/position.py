"""Where a state was saved, as the manifest tells it: the door and the loops around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class SavedLoop:
    """One step of a saved path, as the manifest tells it."""

    key: str
    line: int
    done: int
    by_value: bool
    item_digest: str | None
    """Of the last item handed out, for loops that are brought back by skipping."""

    def to_json(self) -> dict[str, Any]:
        """The form that the manifest keeps."""
        return {
            "key": self.key,
            "line": self.line,
            "done": self.done,
            "by_value": self.by_value,
            "item_digest": self.item_digest,
        }


@dataclass(frozen=True, slots=True)
class Position:
    """Where a state was saved."""

    door: str | None
    """`loop`, `call`, `end`, or None where a rerun cannot come back to the very place."""
    call: str | None = None
    """For the door `call`: which safe point it was."""
    line: int | None = None
    loops: tuple[SavedLoop, ...] = ()
    finished: tuple[tuple[str, ...], ...] = ()
    """Loops finished in the same pass, per depth."""
    program: Mapping[str, Any] | None = None
    """Of a whole program: its stack, and which variable is which part of the state."""

    def to_json(self) -> dict[str, Any]:
        """The form that the manifest keeps."""
        plain = {
            "door": self.door,
            "call": self.call,
            "line": self.line,
            "loops": [loop.to_json() for loop in self.loops],
            "finished": [list(keys) for keys in self.finished],
        }
        return plain if self.program is None else {**plain, "program": dict(self.program)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Position:
        """What `to_json` gave."""
        return cls(
            door=data.get("door"),
            call=data.get("call"),
            line=data.get("line"),
            loops=tuple(SavedLoop(**loop) for loop in data.get("loops", ())),
            finished=tuple(tuple(keys) for keys in data.get("finished", ())),
            program=data.get("program"),
        )

    @property
    def has_loops(self) -> bool:
        """Whether a rerun has loops to lead to their place, or a stack."""
        return bool(self.loops) or any(self.finished) or self.program is not None
