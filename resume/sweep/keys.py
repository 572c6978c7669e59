"""The keys of a sweep's items: short text, unique, and the same in every process."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import xxhash

from resume.errors import ConfigError

_LONGEST = 200
_SMALL = (str, int, float, bool, type(None))
_DEEPEST = 20


def key_of(value: Any) -> str:
    """The text that stands for *value*, by value: itself where it is short, else a digest.

    Text is its own key. Numbers, and lists and dicts of such, are JSON with sorted keys, so that
    people know them again: `{"depth":3,"lr":0.1}`. What is too long, or no JSON, has a digest.
    """
    if type(value) is str:
        text = value
    elif is_jsonlike(value, 0):
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    else:
        # what it takes for objects of all kinds is heavy, and most items are none
        from resume.decorated.arguments import digest  # noqa: PLC0415

        return f"{type(value).__qualname__}:{digest(value)}"
    if len(text) <= _LONGEST:
        return text
    data = text.encode("utf-8", "surrogatepass")
    return f"{type(value).__name__}:{xxhash.xxh3_128_hexdigest(data)}"


def is_jsonlike(value: Any, depth: int) -> bool:
    """Whether JSON can say *value*, tuples as lists."""
    kind = type(value)
    if kind in _SMALL:
        return True
    if depth > _DEEPEST:
        return False
    if kind is dict:
        return all(type(k) is str and is_jsonlike(v, depth + 1) for k, v in value.items())
    return kind in (list, tuple) and all(is_jsonlike(each, depth + 1) for each in value)


class Keys:
    """The keys of all items, and the place of each."""

    def __init__(self, items: Sequence[Any], key: Callable[[Any], Hashable] | None) -> None:
        self._key = key
        self.index: dict[str, int] = {}
        for place, item in enumerate(items):
            text = self.of(item)
            first = self.index.setdefault(text, place)
            if first != place:
                raise ConfigError(_twice(text, items, first, place, by_key=key is not None))
        self.texts = list(self.index)

    def of(self, item: Any) -> str:
        """The key of *item*.

        Raises:
            ConfigError: `key=` gave None, or what has no text of its own.
        """
        if self._key is None:
            return key_of(item)
        told = self._key(item)
        if told is None:
            raise ConfigError(
                f"key= gave None for {shown(item)}: let it return text, a number, or a tuple of "
                "them. Nothing was read or written."
            )
        return key_of(told)


def _twice(text: str, items: Sequence[Any], first: int, second: int, *, by_key: bool) -> str:
    remedy = "let key= tell them apart" if by_key else "leave one out, or tell them apart with key="
    return (
        f"items {first} and {second} have the same key {text!r}: {shown(items[first])} and "
        f"{shown(items[second])}. Nothing was read or written; {remedy}."
    )


def shown(item: Any, limit: int = 100) -> str:
    """*item* as a person sees it in a message."""
    try:
        text = repr(item)
    except Exception as why:  # noqa: BLE001 - the user's code; the message is about something else
        text = f"<{type(item).__qualname__} whose repr() raises {type(why).__name__}>"
    return text if len(text) <= limit else text[: limit - 1] + "…"


def places(count: int) -> array[int]:
    """An array of *count* places in a log, none of them known yet."""
    return array("q", [-1]) * count
