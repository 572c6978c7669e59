"""The names that stand in saved streams: one namespace, whatever file a builder lives in.

A stream refers to a function that rebuilds something as `resume.pickling.builders.NAME`. The
name is part of the file format: it is never changed and never used again for something else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

MODULE = __name__
F = TypeVar("F", bound=Callable[..., Any])
_BOUND: set[str] = set()


def builder(function: F) -> F:
    """Make *function* known to streams under its own name."""
    return _publish(function)


def bound(function: F) -> F:
    """Like `builder`; on decode it is called with the running `Rebuild` before its arguments."""
    _BOUND.add(function.__name__)
    return _publish(function)


def is_bound(name: str) -> bool:
    """Whether the builder *name* wants the running `Rebuild`."""
    return name in _BOUND


def _publish(function: F) -> F:
    # Set here, not by an import in this file: the C pickler looks a function up by these two.
    function.__qualname__ = function.__name__
    function.__module__ = MODULE
    globals()[function.__name__] = function
    return function
