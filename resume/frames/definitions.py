"""Functions and classes that a piece of code defines each time it runs."""

from __future__ import annotations

from functools import lru_cache
from types import CodeType

from resume.frames.flow import flow_of


@lru_cache(maxsize=256)
def straight_definitions(code: CodeType) -> frozenset[CodeType]:
    """Codes of the `def`s and `class`es in *code* that stand in no loop.

    What a loop defines depends on the pass it was in, and a rerun that skips the pass does not
    define it again.
    """
    flow = flow_of(code)
    return frozenset(
        constant
        for index, op in enumerate(flow.ops)
        if op.name.startswith("LOAD_CONST")
        and isinstance(constant := op.value, CodeType)
        and not flow.around(index)
    )
