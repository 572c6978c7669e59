"""The pointer from a running function's frame to its `f_locals` dict, on 3.11 and 3.12.

Reading `frame.f_locals` fills that dict with every variable. With the pointer at hand the dict can
be hung aside, or given one key, without that.
"""

from __future__ import annotations

import ctypes
import sys
from types import FrameType
from typing import Any

from resume.interpreter import LOCALS_WRITE_THROUGH


def extra_locals(frame: FrameType) -> Any:
    """Give the mapping of a function's frame that takes keys which are no variables of its code.

    3.11 and 3.12: the frame's dict as it is, or an empty one; its variables are not read into it.
    """
    if LOCALS_WRITE_THROUGH or not DICT_FOUND:
        return frame.f_locals
    slot = dict_slot(frame)
    if slot.value is None:
        fresh: dict[str, Any] = {}
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(fresh))  # the frame's own reference to it
        slot.value = id(fresh)
    return ctypes.cast(slot, ctypes.py_object).value


def dict_slot(frame: FrameType) -> ctypes.c_void_p:
    """Give the pointer to the `f_locals` dict inside the interpreter's frame, in place.

    `PyFrameObject` is head, f_back, f_frame. `_PyInterpreterFrame` begins in 3.11 with function,
    globals, builtins, locals; in 3.12 with code, previous, function, globals, builtins, locals.
    """
    word = ctypes.sizeof(ctypes.c_void_p)
    inner = ctypes.c_void_p.from_address(id(frame) + object.__basicsize__ + word).value
    position = 5 if sys.version_info >= (3, 12) else 3
    return ctypes.c_void_p.from_address((inner or 0) + position * word)


def pending_flag(frame: FrameType) -> ctypes.c_ubyte:
    """Give `f_fast_as_locals` of a frame object, in place: its dict is to be copied back.

    Each read of `f_locals` sets it, and the end of a trace function copies the dict back (and
    unbinds what is not in it) only where it is set. Before it stand: head, f_back, f_frame,
    f_trace, f_lineno, f_trace_lines, f_trace_opcodes.
    """
    words = 3 * ctypes.sizeof(ctypes.c_void_p) + ctypes.sizeof(ctypes.c_int)
    return ctypes.c_ubyte.from_address(id(frame) + object.__basicsize__ + words + 2)


def _finds_the_dict() -> bool:
    """Try both places once on a frame of our own: a build may lay frames out otherwise.

    Where that fails, values are kept alive by the frame's dict, as any debugger would keep them.
    """
    if LOCALS_WRITE_THROUGH:
        return False
    frame = sys._getframe()  # noqa: SLF001
    before = pending_flag(frame).value
    known = frame.f_locals
    found = dict_slot(frame).value == id(known) and (before, pending_flag(frame).value) == (0, 1)
    known.clear()
    del frame  # a cycle, which would keep all frames around alive: we may be imported for a save
    return found


DICT_FOUND = _finds_the_dict()
