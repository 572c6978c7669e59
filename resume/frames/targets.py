"""What the items of a `for` are called."""

from __future__ import annotations

from types import CodeType

from resume.frames.flow import flow_of


def loop_target(code: CodeType, header: int) -> str | None:
    """Return the first name that the `for` with its FOR_ITER at *header* binds; None: no name."""
    ops = flow_of(code).ops
    index = next((index for index, op in enumerate(ops) if op.offset == header), len(ops))
    for op in ops[index + 1 : index + 3]:
        if op.name.startswith("STORE_") and op.name not in ("STORE_ATTR", "STORE_SUBSCR"):
            name: str = op.value[0] if isinstance(op.value, tuple) else op.value
            return name
        if op.name != "UNPACK_SEQUENCE":
            return None
    return None
