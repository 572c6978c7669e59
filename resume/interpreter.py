"""Facts about the interpreter that runs us, named for the behaviour and not for the version."""

from __future__ import annotations

import sys

LOCALS_WRITE_THROUGH = sys.version_info >= (3, 13)
"""`frame.f_locals` of a function is a proxy whose writes reach the variables (PEP 667)."""
