"""An exception that is raised again, only for its handler to go on, looks as it did there.

To go on in a handler a residual raises the exception again. `raise` writes into it: a traceback
entry for the residual, and what is being handled around it as its context. Both are seen in any
traceback that is printed later. So they are noted before, and put back at the handler's start.
"""

from __future__ import annotations

from types import TracebackType
from typing import TypeAlias

Look: TypeAlias = tuple[TracebackType | None, BaseException | None]


def look_of(error: BaseException) -> Look:
    """Return what `raise` would change in *error*."""
    return error.__traceback__, error.__context__


def put_back(error: BaseException, look: Look) -> None:
    """Give *error* the look that it had."""
    # Not through the class of the error: it may define how attributes are set.
    BaseException.__setattr__(error, "__traceback__", look[0])
    BaseException.__setattr__(error, "__context__", look[1])
