"""What an `lru_cache` of the program has kept: without it, all would be computed (and told) again.

The cache shows its contents to nobody but the collector. One without a limit is a dict, and is
filled in place. One with a limit keeps links in the order of use: it is asked for each result once
more, oldest first, while its function answers with what was saved.

Its counts are made by calls, too: of the newest key for hits, and of one that its function refuses
for misses. That takes a fraction of the time that they took the program.

What can still go wrong: counts of many millions come back lower (`MOST_HITS`, `MOST_MISSES`).
"""

from __future__ import annotations

import contextlib
import functools
import gc
from collections.abc import Callable, Iterator
from itertools import repeat
from types import CodeType, FunctionType
from typing import Any

from resume.pickling.builders import builder
from resume.reentry.records import Keeping

MOST_HITS, MOST_MISSES = 20_000_000, 4_000_000
"""About a second each."""
KIND: type = functools._lru_cache_wrapper  # noqa: SLF001 - its only name


def state_of_cache(cache: Any, waiting: int = 0) -> dict[str, Any]:
    """What `fill_cache` brings back: contents, counts, and what its function has by default.

    Args:
        cache: It.
        waiting: Calls that it is in, whose results it gets when they are there (`keep`).
    """
    told, inner = cache.cache_info(), cache.__wrapped__
    return {
        "contents": contents_of_cache(cache),
        "hits": told.hits,
        "misses": told.misses - waiting,
        "defaults": getattr(inner, "__defaults__", None),
        "kwdefaults": getattr(inner, "__kwdefaults__", None),
    }


def contents_of_cache(cache: Any) -> list[tuple[Any, Any, Any]]:
    """Positional arguments, keyword arguments (None: there are none) and results, oldest first."""
    parts, at = _parts_of(cache)
    mark = parts[at + 2]
    if cache.cache_parameters()["maxsize"] is None:
        entries = list(parts[at].items())
    else:
        links = (i for i in range(at) if getattr(parts[i], "__name__", "") == "_lru_list_elem")
        entries = [(parts[i - 2], parts[i - 1]) for i in links]
    return [(*_told(key, mark), result) for key, result in entries]


def _parts_of(cache: Any) -> tuple[list[Any], int]:
    """What a cache holds, and where in it the dict is: its function and its mark stand behind."""
    parts = gc.get_referents(cache)
    inner = cache.__wrapped__
    last = len(parts) - 1
    at = next(i for i in range(last, 0, -1) if parts[i] is inner and type(parts[i + 1]) is object)
    return parts, at - 1


def _told(key: Any, mark: Any) -> tuple[Any, Any]:
    if not isinstance(key, tuple):
        return key, None
    at = next((index for index, part in enumerate(key) if part is mark), len(key))
    return list(key[:at]), list(key[at + 1 :]) if at < len(key) else None


@builder
def fill_cache(cache: Any, state: dict[str, Any]) -> None:
    """Let *cache* know results, without a call of its function, and count as it did."""
    how, contents = cache.cache_parameters(), state["contents"]
    is_plain = isinstance(cache.__wrapped__, FunctionType)
    if is_plain:
        cache.__wrapped__.__defaults__ = state["defaults"]
        cache.__wrapped__.__kwdefaults__ = state["kwdefaults"]
        made_by_asking = 0 if how["maxsize"] is None else len(contents)
        _miss(cache, min(state["misses"] - made_by_asking, MOST_MISSES))
    if how["maxsize"] is None:
        parts, at = _parts_of(cache)
        for first, rest, result in contents:
            parts[at][_key(first, rest, parts[at + 2])] = result
    elif is_plain:
        _ask(cache, contents, typed=how["typed"])
    if is_plain and contents:
        first, rest, _ = contents[-1]  # one that was used before would become the newest
        args, named = _arguments(first, rest, typed=how["typed"])
        for _ in repeat(None, min(state["hits"], MOST_HITS)):
            cache(*args, **named)


def keep(cache: Any, args: tuple[Any, ...], named: dict[str, Any], result: Any) -> Any:
    """Let *cache* keep the result of a call that it was in, as one more miss; return it."""
    if isinstance(cache.__wrapped__, FunctionType):
        consts = tuple([result] if each == "ANSWERS" else each for each in _ANSWER.co_consts)
        with _running(cache.__wrapped__, _ANSWER.replace(co_consts=consts)):
            cache(*args, **named)
    return result


class _Once(dict[str, Any]):
    """Values that are gone when they are read: while the frame runs, it alone holds them."""

    __getitem__ = dict.pop


def result_kept(
    function: Callable[[Any], Any], values: dict[str, Any], keeping: Keeping
) -> Callable[[], Any]:
    """Return what calls *function* with *values*, and lets a cache keep the result.

    As with the cache itself, there is C code between the frames and nothing else: what keeps the
    result runs when the frame is left.
    """
    kept = functools.partial(keep, keeping.cache, keeping.args, keeping.named)
    waiting = [_Once(values)]
    return map(kept, map(function, iter(waiting.pop, None))).__next__


def _miss(cache: Any, times: int) -> None:
    """Count calls that were no hits, and keep nothing of them."""
    with _running(cache.__wrapped__, _REFUSAL):
        for _ in repeat(None, times):
            try:
                cache(_REFUSAL)
            except LookupError:
                continue


_REFUSAL = (lambda *_, **__: ()[0]).__code__  # type: ignore[misc]  # noqa: PLE0643


@contextlib.contextmanager
def _running(function: FunctionType, code: CodeType) -> Iterator[None]:
    """Meanwhile *function* runs *code*."""
    plain = function.__code__
    function.__code__ = code.replace(co_freevars=plain.co_freevars)
    try:
        yield
    finally:
        function.__code__ = plain


def _key(first: Any, rest: Any, mark: Any) -> Any:
    if not isinstance(first, list):
        return first
    return tuple(first) if rest is None else (*first, mark, *rest)


_ANSWER = (lambda *_, **__: "ANSWERS".pop()).__code__  # type: ignore[attr-defined]


def _ask(cache: Any, contents: list[tuple[Any, Any, Any]], *, typed: bool) -> None:
    answers = [result for _, _, result in reversed(contents)]
    consts = tuple(answers if each == "ANSWERS" else each for each in _ANSWER.co_consts)
    with _running(cache.__wrapped__, _ANSWER.replace(co_consts=consts)):
        for first, rest, _ in contents:
            args, named = _arguments(first, rest, typed=typed)
            cache(*args, **named)


def _arguments(first: Any, rest: Any, *, typed: bool) -> tuple[list[Any], dict[str, Any]]:
    """Positional and keyword arguments of a key; that of a typed cache ends with their types."""
    if not isinstance(first, list):
        return [first], {}
    if rest is None:
        return first[: len(first) // 2] if typed else first, {}
    if typed:
        rest = rest[: 2 * (len(rest) - len(first)) // 3]
    return first, dict(zip(rest[::2], rest[1::2], strict=True))
