"""What happens between `chp.loop` being looked up and being called: its iterable is evaluated."""

from __future__ import annotations

from functools import lru_cache
from types import CodeType

from resume.frames.flow import flow_of
from resume.frames.sites import callee_of
from resume.frames.stack import call_size

_HARMLESS = frozenset({
    "dict", "enumerate", "filter", "iter", "len", "list", "map", "range", "reversed", "sorted",
    "tuple", "zip",
})  # fmt: skip


@lru_cache(maxsize=512)
def call_of_lookup(code: CodeType, lasti: int) -> int | None:
    """Index of the call that a method looked up at *lasti* is made for.

    None where there is no such call (`loop = chp.loop`), or where nothing between the two can run
    code that is not the interpreter's own (`chp.loop(range(n))`).
    """
    flow = flow_of(code)
    start = flow.index(lasti)
    before = flow.stacks[start]
    if before is None:
        return None
    runs_code = False
    for index in range(start + 1, len(flow.ops)):
        stack, op = flow.stacks[index], flow.ops[index]
        if stack is None or len(stack) < len(before):
            return None
        if not op.name.startswith("CALL"):
            # attributes may be properties, and operators may be methods; both rarely draw
            continue
        # 3.11 and 3.12: with NULL pushed before the object, the call starts one place lower
        if len(before) - len(stack) + call_size(op) in (1, 2):
            return index if runs_code else None
        runs_code = runs_code or callee_of(flow, index) not in _HARMLESS
    return None


def instruction_at(code: CodeType, lasti: int) -> int:
    """Index of the instruction that a frame with this `f_lasti` stands at."""
    return flow_of(code).index(lasti)
