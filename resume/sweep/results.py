"""What was recorded of items: read from the log when it is asked for, never kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

from resume.errors import TrustError
from resume.store import trust
from resume.sweep import payload
from resume.sweep.log import Log
from resume.sweep.payload import Packed


@dataclass(frozen=True, slots=True)
class Failure:
    """An item that has no result, and why."""

    item: Any
    key: str
    type: str
    """Name of the exception's class; `WorkerKilled` where the item is set aside."""
    text: str
    traceback: str
    at: float
    """Seconds since the epoch."""
    is_set_aside: bool = False
    """It killed its worker too often, and is not tried again by itself."""

    def __str__(self) -> str:
        return f"{self.key}: {self.type}: {self.text}"


class Results(Sequence[Any]):
    """Results in the order of the items, each read from the disk when it is looked at."""

    def __init__(self, places: Sequence[int], read: Callable[[int], Any]) -> None:
        self._places = places
        self._read = read

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, at: int) -> Any: ...

    @overload
    def __getitem__(self, at: slice) -> Results: ...

    def __getitem__(self, at: int | slice) -> Any:
        if isinstance(at, slice):
            return Results(self._places[at], self._read)
        return self._read(self._places[at])

    def __iter__(self) -> Iterator[Any]:
        return map(self._read, self._places)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str | bytes):
            return NotImplemented
        return len(self) == len(other) and all(
            mine == theirs for mine, theirs in zip(self, other, strict=True)
        )

    __hash__ = None  # type: ignore[assignment]  # as a list's

    def __repr__(self) -> str:
        return f"<{len(self)} results>"


def packed_in(log: Log, fields: dict[str, Any], *, trusted: bool | None) -> Packed:
    """The result that a line says otherwise than as JSON: verified, and trusted if it is a pickle.

    Raises:
        IntegrityError: The bytes are not those that were written.
        TrustError: Somebody else may have written the pickle.
    """
    form = fields.get("form", "pickle")
    if form == "pickle" and not trust.is_waived(trusted):
        why = log.complaint()
        if why is not None:
            raise TrustError(
                f"{log.path} is not trusted: {why}. A result in it is a pickle, and nothing of it "
                "was unpickled; the log stays as it is.\nIf you know who wrote it: trust=True or "
                "RESUME_TRUST=1, or take it over with chown and chmod o-w."
            )
    if "stored" in fields:
        types = json.dumps(fields["types"]) if "types" in fields else ""
        return Packed(form, bytes(log.stored(fields["stored"])), types)
    return Packed("pickle", payload.from_text(fields["pickle"]))
