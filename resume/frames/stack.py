"""A symbolic stack: which name, attribute, call or loop each value on it came from.

Depths follow `dis.stack_effect`, which knows each version's instructions; how many values an
instruction takes away and how many it puts there is told apart only where a name depends on it.
"""

from __future__ import annotations

import dis
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from resume.frames.flow import Op


class Mark(NamedTuple):
    """Where a value came from."""

    text: str = ""
    """Dotted name (`chp.loop`), or empty."""
    call: int | None = None
    """Index of the call instruction that returned it."""
    loop: int | None = None
    """Index of the FOR_ITER that it is the iterator of."""


Stack: TypeAlias = tuple[Mark, ...]

UNKNOWN = Mark()

_NAMES = frozenset(
    {"LOAD_FAST", "LOAD_FAST_CHECK", "LOAD_NAME", "LOAD_GLOBAL", "LOAD_DEREF", "LOAD_CLASSDEREF"}
)
_NOTHING = frozenset({"NOP", "RESUME", "PRECALL", "KW_NAMES", "MAKE_CELL", "COPY_FREE_VARS"})
_TAKERS = ("STORE_", "POP_", "DELETE_", "JUMP_", "FOR_ITER", "END_FOR", "END_ASYNC_FOR", "RETURN_")
_TAKERS_IN = frozenset(
    {"LIST_APPEND", "LIST_EXTEND", "SET_ADD", "SET_UPDATE", "MAP_ADD", "DICT_UPDATE", "DICT_MERGE"}
)


def step(op: Op, index: int, stack: Stack, *, jumps: bool) -> Stack:  # noqa: PLR0911 - one a kind
    """Return the stack behind *op*, on the way that jumps or on the one that does not."""
    if op.name in _NOTHING:
        return stack
    told = _step_named(op, stack)
    if told is not None:
        return told
    if op.name.startswith("CALL"):
        return (*_take(stack, call_size(op)), Mark(call=index))
    effect = dis.stack_effect(dis.opmap[op.name], op.arg, jump=jumps)
    if op.name in {"FOR_ITER", "GET_ANEXT"} and effect > 0:
        return (*stack[:-1], Mark(loop=index), UNKNOWN)
    if effect > 0:
        return stack + (UNKNOWN,) * effect
    if op.name.startswith(_TAKERS) or op.name in _TAKERS_IN:
        return _take(stack, -effect)
    return (*_take(stack, 1 - effect), UNKNOWN)


def _step_named(op: Op, stack: Stack) -> Stack | None:  # noqa: PLR0911 - one a kind
    """Handle what gives a value a name or moves it; None: *op* does neither."""
    if op.name in _NAMES:
        effect = dis.stack_effect(dis.opmap[op.name], op.arg)  # 2 with the NULL of a call to come
        return (*stack, *(UNKNOWN,) * (effect - 1), Mark(op.value))
    if op.name in {"LOAD_ATTR", "LOAD_METHOD"}:
        effect = dis.stack_effect(dis.opmap[op.name], op.arg)  # 1 for a method: self stays too
        owner = stack[-1].text if stack else ""
        return _take(stack, 1) + (Mark(f"{owner}.{op.value}"),) * (1 + effect)
    if op.name == "LOAD_FAST_LOAD_FAST":  # 3.13 joins two
        return stack + tuple(Mark(name) for name in op.value)
    if op.name == "STORE_FAST_LOAD_FAST":
        return (*_take(stack, 1), Mark(op.value[1]))
    deep = op.arg or 0
    if op.name == "SWAP" and deep <= len(stack):
        return (*stack[:-deep], stack[-1], *stack[1 - deep : -1], stack[-deep])
    if op.name == "COPY" and deep <= len(stack):
        return (*stack, stack[-deep])
    return None


def call_size(op: Op) -> int:
    """Values that a call takes: callable, self or NULL, arguments, names of keywords."""
    count = op.arg or 0
    if op.name == "CALL":
        return count + 2  # 3.11: stack_effect counts the arguments for PRECALL, which we pass over
    if op.name == "CALL_KW":
        return count + 3
    return 1 - dis.stack_effect(dis.opmap[op.name], op.arg)


def callee(op: Op, stack: Stack) -> str:
    """Return the dotted name that a call instruction calls, or an empty text.

    Callable and NULL (or self) are the lowest two; which is which depends on the version.
    """
    lowest = stack[-call_size(op) :][:2]
    return next((mark.text for mark in lowest if mark.text), "")


def _take(stack: Stack, count: int) -> Stack:
    return stack[:-count] if count > 0 else stack
