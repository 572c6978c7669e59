"""Have the main thread do something between two instructions of what it runs.

What does not work: a signal. Its handler is the program's to take, it interrupts system calls, and
`signal.signal` shows it. A callback made by ctypes: an exception in it (Ctrl-C comes at any time)
is printed and lost.

What we do: the interpreter keeps a short list of calls that the main thread makes as soon as it is
between two instructions, above the frame that runs. We let it ask an object for its truth: the
object's `__bool__` does the work, and what it raises goes on in the frame, as if raised there.
"""

from __future__ import annotations

import ctypes

_add = ctypes.pythonapi.Py_AddPendingCall
_add.argtypes = (ctypes.c_void_p, ctypes.c_void_p)
_add.restype = ctypes.c_int
_ask = ctypes.cast(ctypes.pythonapi.PyObject_IsTrue, ctypes.c_void_p)


def ask_main_thread(asked: object) -> bool:
    """Have the main thread call `bool(asked)` soon, which must be False; may be called anywhere.

    Returns:
        Whether it will be done; else the list is full: try again later. The object must live on.
    """
    return int(_add(_ask, id(asked))) == 0
