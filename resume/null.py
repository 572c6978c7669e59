"""A checkpoint that does nothing, with every method of the real one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from types import TracebackType
from typing import Any, Literal, Self

from resume.preempting import PreemptHook
from resume.replay import make_iterator
from resume.results import SWITCHED_OFF, Deferred, Restored


class NullCheckpoint(MutableMapping[str, Any]):
    """Stands in for a `Checkpoint` where nothing is to be saved: no file is read or written.

    `Checkpoint(...)` gives one under `RESUME_DISABLE=1`, and in a child process of
    `multiprocessing` that runs the parent's module again.
    """

    __slots__ = ("_values", "name")

    resuming = False
    complete = False
    CACHE_EXPIRE = "30d"

    def __init__(self, name: str | None = None, **_ignored: Any) -> None:
        self.name = name or "null"
        self._values: dict[str, Any] = {}

    def restore(self) -> Restored:
        """Restore nothing; the record is falsy."""
        return Restored()

    def sync(self) -> Deferred:
        """Save nothing; the answer is falsy."""
        return SWITCHED_OFF

    def save(self, **values: Any) -> Deferred:
        """Keep *values* in memory only; the answer is falsy."""
        self._values.update(values)
        return SWITCHED_OFF

    def preempt_hook(self, extra: Any = None, grace: Any = "30s") -> PreemptHook:
        """A hook that saves nothing; its answer is falsy."""
        return PreemptHook(None, extra, grace)

    def loop(self, iterable: Any, *, name: str | None = None) -> Iterator[Any]:  # noqa: ARG002
        """The items of *iterable*, or of what it returns where it is a callable."""
        return make_iterator(iterable)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> Literal[False]:
        return False

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._values[key] = value

    def __delitem__(self, key: str) -> None:
        del self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __bool__(self) -> Literal[True]:
        return True

    def __repr__(self) -> str:
        return f"<NullCheckpoint {self.name}>"

    @staticmethod
    def add_types(table: Mapping[type, Any] | None = None, *, rename: Any = None) -> None:
        """Accepted and without effect here; see `Checkpoint.add_types`."""
