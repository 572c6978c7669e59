"""The last bytes of a file, by which another of that name is told."""

from __future__ import annotations

import hashlib
from pathlib import Path

TAIL_BYTES = 1 << 12


def digest_before(path: str | Path, end: int) -> str:
    """Digest of the last bytes of a file before that place."""
    with open(path, "rb") as file:  # noqa: PTH123
        file.seek(max(0, end - TAIL_BYTES))
        return hashlib.sha256(file.read(min(end, TAIL_BYTES))).hexdigest()
