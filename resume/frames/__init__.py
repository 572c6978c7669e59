"""Live frames and their code as plain records: the only place with ctypes and `sys._getframe`."""

from __future__ import annotations

from resume.frames.cells import cell_of, cells_of, has_cell, is_cell_of
from resume.frames.locals import (
    argument_names,
    delete_locals,
    namespace_of,
    places,
    read_locals,
    write_locals,
)
from resume.frames.owner import HIDDEN, Token, find_owner, is_function_frame, plant_token

__all__ = [
    "HIDDEN",
    "Token",
    "argument_names",
    "cell_of",
    "cells_of",
    "delete_locals",
    "find_owner",
    "has_cell",
    "is_cell_of",
    "is_function_frame",
    "namespace_of",
    "places",
    "plant_token",
    "read_locals",
    "write_locals",
]
