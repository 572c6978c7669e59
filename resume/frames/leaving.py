"""Tell whether a `for` loop that was left can be skipped by a rerun that hands out no items.

That is so when what runs behind the place where the iterator was dropped is what runs behind the
loop's plain end: a `break` with no `else` behind the loop; not a `return` with code behind it.

A loop's iterator dies at the instruction that leaves the loop, while the owner's frame stands there
(tests/unit/frames/test_leaving.py proves the places, with an iterator that looks from `__del__`):

    plain end            FOR_ITER               3.11, 3.12, 3.13
    break, return        POP_TOP                3.11, 3.12, 3.13
    exception            what raised it         3.11, 3.12, 3.13
    closed generator     YIELD_VALUE            3.11, 3.12
                         not in this frame      3.13 clears it without running it: `__del__` sees
                                                the frame that called `close()`
"""

from __future__ import annotations

from functools import lru_cache
from types import CodeType
from typing import Any

from resume.frames.flow import Flow, flow_of, is_jump

_NO_EFFECT = frozenset({"NOP", "RESUME", "POP_TOP", "END_FOR", "END_SEND", "PRECALL"})
_LIMIT = 400
"""Pairs of instructions to compare before giving up."""


def left_elsewhere(code: CodeType, site_offset: int, lasti: int) -> bool:
    """Tell whether a `for` was left to where its plain end does not lead; when unsure, True.

    Args:
        code: Code of the loop's frame.
        site_offset: Offset of the loop's FOR_ITER.
        lasti: `f_lasti` of the frame while the iterator is dropped.
    """
    flow = flow_of(code)
    return _left_elsewhere(code, flow.index(site_offset), flow.index(lasti))


@lru_cache(maxsize=1024)
def _left_elsewhere(code: CodeType, header: int, dropped: int) -> bool:
    flow = flow_of(code)
    end = flow.ops[header].target
    if dropped == header:
        return False
    if end is None or flow.ops[dropped].name != "POP_TOP":
        return True  # an exception: a handler runs, or the frame ends
    if flow.ops[dropped - 1].name == "SWAP":
        return True  # `return value`: it was computed already, and waits above the iterator
    return not _same_way(flow, dropped + 1, end)


def _same_way(flow: Flow, one: int, other: int) -> bool:
    """Compare two ways through the code until they meet; the compiler copies short ends of code.

    Equal line numbers are asked for, because a copy keeps them, except at the function's end.
    """
    todo, seen = [(one, other)], set()
    while todo:
        left, right = (_skip(flow, index) for index in todo.pop())
        if left == right or (left, right) in seen:
            continue
        seen.add((left, right))
        result = _result(flow, left)
        if result is not None and result == _result(flow, right):
            continue
        if len(seen) > _LIMIT or not _does_the_same(flow, left, right):
            return False
        todo += zip(flow.follow(left), flow.follow(right), strict=True)
    return True


def _skip(flow: Flow, index: int) -> int:
    """Go on to the next instruction that does something, over jumps and dropped values."""
    for _ in flow.ops:
        op = flow.ops[index]
        if is_jump(op) and op.target is not None:
            index = op.target
        elif op.name in _NO_EFFECT:
            index += 1
        else:
            break
    return index


def _does_the_same(flow: Flow, left: int, right: int) -> bool:
    one, other = flow.ops[left], flow.ops[right]
    if _plain(one.name) != _plain(other.name) or one.line != other.line:
        return False
    if len(flow.follow(left)) != len(flow.follow(right)):
        return False
    return one.target is not None or (one.arg, one.value) == (other.arg, other.value)


def _plain(name: str) -> str:
    """Drop the direction that 3.11 has in the names of conditional jumps."""
    return name.replace("_FORWARD_", "_").replace("_BACKWARD_", "_")


def _result(flow: Flow, index: int) -> tuple[Any, ...] | None:
    """Give the constant that the function returns from here at once; None: it does not.

    `return None` stands at each end of the code, with the line of whatever came before.
    """
    op = flow.ops[index]
    if op.name == "RETURN_CONST":
        return type(op.value), repr(op.value)
    if op.name == "LOAD_CONST" and flow.ops[index + 1].name == "RETURN_VALUE":
        return type(op.value), repr(op.value)
    return None
