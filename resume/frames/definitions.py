"""What names a piece of code defines and uses, and where."""

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


@lru_cache(maxsize=256)
def names_read_in_loop(code: CodeType, site: int) -> frozenset[str]:
    """Variables that the body of the `for` with its FOR_ITER at offset *site* reads."""
    flow = flow_of(code)
    header = flow.index(site)
    found: set[str] = set()
    for index, op in enumerate(flow.ops):
        if "LOAD_" in op.name and header in flow.fors(index):
            # 3.13 reads two variables in one instruction (LOAD_FAST_LOAD_FAST)
            names = op.value if isinstance(op.value, tuple) else (op.value,)
            found.update(name for name in names if isinstance(name, str))
    return frozenset(found)
