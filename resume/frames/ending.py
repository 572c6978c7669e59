"""Tell the interpreter that an interrupt was not handled, so that it dies by SIGINT at its end.

The shell that started a program must see that Ctrl-C ended it, or a loop of the shell goes on. The
interpreter sends itself the signal after all clean-up, if the `__main__` that it ran raised
KeyboardInterrupt; a program that was run in another way has to say so.
"""

from __future__ import annotations

import ctypes
from typing import Any

_WHOLE_FILE = 257  # Py_file_input


def note_unhandled_interrupt() -> None:
    """Let the process end by SIGINT when it ends; nothing is printed."""
    names = ctypes.py_object(dict[str, Any]())
    try:
        ctypes.pythonapi.PyRun_String(b"raise KeyboardInterrupt", _WHOLE_FILE, names, names)
    except KeyboardInterrupt:
        return
