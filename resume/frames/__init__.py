"""Live frames and their code as plain records: the only place with ctypes and `sys._getframe`."""

from __future__ import annotations

from resume.frames.cells import cell_of, cells_of, has_cell, is_cell_of, search_cells
from resume.frames.definitions import names_read_in_loop, straight_definitions
from resume.frames.expressions import call_of_lookup, instruction_at
from resume.frames.fingerprint import fingerprint, source_digest, source_of
from resume.frames.flow import Around
from resume.frames.leaving import left_elsewhere
from resume.frames.locals import (
    argument_names,
    delete_locals,
    namespace_of,
    places,
    read_locals,
    write_locals,
)
from resume.frames.looks import Look, static_looks
from resume.frames.owner import (
    HIDDEN,
    Token,
    find_owner,
    frame_at,
    is_function_frame,
    plant_token,
    running_frames,
)
from resume.frames.sites import (
    LoopSite,
    enclosing_loops,
    loop_site,
    loop_tree,
    safe_point_key,
)
from resume.frames.targets import loop_target

__all__ = [
    "HIDDEN",
    "Around",
    "Look",
    "LoopSite",
    "Token",
    "argument_names",
    "call_of_lookup",
    "cell_of",
    "cells_of",
    "delete_locals",
    "enclosing_loops",
    "find_owner",
    "fingerprint",
    "frame_at",
    "has_cell",
    "instruction_at",
    "is_cell_of",
    "is_function_frame",
    "left_elsewhere",
    "loop_site",
    "loop_target",
    "loop_tree",
    "names_read_in_loop",
    "namespace_of",
    "places",
    "plant_token",
    "read_locals",
    "running_frames",
    "safe_point_key",
    "search_cells",
    "source_digest",
    "source_of",
    "static_looks",
    "straight_definitions",
    "write_locals",
]
