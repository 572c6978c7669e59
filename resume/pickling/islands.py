"""Islands: what only dill can take apart, as a shell around objects of the outer stream.

dill's pickler is 10 to 28 times slower than C's and opens files by name, so it never sees bulk: its
`persistent_id` hands every object but the island itself back to the outer stream.
"""

from __future__ import annotations

import io
import types
from typing import Any

from resume.pickling.builders import builder
from resume.pickling.session import Reducer, Session, Unsavable

KINDS = frozenset(
    {types.MethodWrapperType, types.WrapperDescriptorType, types.GetSetDescriptorType}
)


@builder
def island(shell: bytes, outer: list[Any]) -> Any:
    """What dill made of *shell*, its persistent ids filled in from *outer*."""
    import dill  # noqa: PLC0415 - slow to import, and rarely needed

    class Inner(dill.Unpickler):  # type: ignore[misc]
        def persistent_load(self, pid: int) -> Any:
            return outer[pid]

    return Inner(io.BytesIO(shell)).load()


def look(kind: type) -> Reducer | None:
    """The reducer for code-like objects that plain pickle refuses."""
    return _island if kind in KINDS else None


def _island(_session: Session, thing: Any) -> Any:
    import dill  # noqa: PLC0415

    outer: list[Any] = []

    class Inner(dill.Pickler):  # type: ignore[misc]
        def persistent_id(self, other: Any) -> int | None:
            if other is thing or isinstance(other, str | types.BuiltinFunctionType | type):
                return None
            outer.append(other)
            return len(outer) - 1

    shell = io.BytesIO()
    try:
        Inner(shell, protocol=5).dump(thing)
    except Exception as why:
        raise Unsavable(f"{type(thing).__name__}: {why}") from why
    return island, (shell.getvalue(), outer)
