"""Objects to a stream with buffers, and back: one graph, shared references kept.

Takes everything from above as values (reducers, the frame's cells, the library's own objects) and
never sees a path.
"""

from __future__ import annotations

from resume.pickling.anchors import can_anchor
from resume.pickling.decode import Approve, Decoded, DecodeProblem, decode, first_root
from resume.pickling.encode import Encoded, encode
from resume.pickling.picklers import Spare
from resume.pickling.session import Look, Reducers

__all__ = [
    "Approve",
    "DecodeProblem",
    "Decoded",
    "Encoded",
    "Look",
    "Reducers",
    "Spare",
    "can_anchor",
    "decode",
    "encode",
    "first_root",
]
