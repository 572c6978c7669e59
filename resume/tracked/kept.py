"""What files held before a program changed them: the log of it, and the copies beside the log."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class Kept:
    """What one path was before it was first changed in an epoch."""

    epoch: int
    path: str
    kind: Literal["absent", "no folder", "folder", "link", "size", "copy", "large"]
    """No such file; no such folder; a folder; a symbolic link; a file that is added to; one that is
    kept; one that is too large to be."""
    size: int = 0
    mark: str = ""
    """Of a link: where it leads. Of a file that is added to: digest of its last bytes. Of one that
    was not copied: when it was changed, in ns."""
    file: str = ""
    """Name of the copy."""


class KeptLog:
    """One line for each, in a folder of its own that is made with the first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._log = str(folder / "log")

    def add(self, kept: Kept) -> None:
        """Add one; nothing waits for the medium.

        Raises:
            OSError: The disk refused.
        """
        # the line begins with its end: one that was cut short spoils none behind it
        line = "\n" + _line(kept)
        # opened each time: a program may close descriptors that are not its own
        log = os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(log, line.encode())
        finally:
            os.close(log)

    def copy(self, name: str) -> Path:
        """Where the copy of that name lies."""
        return self.folder / name

    def __iter__(self) -> Iterator[Kept]:
        try:
            lines = Path(self._log).read_text(encoding="utf-8").split("\n")
        except FileNotFoundError:
            return
        for line in lines:
            with suppress(ValueError, TypeError):  # cut short: then the change was not made
                yield Kept(**json.loads(line))

    def forget(self, is_gone: Callable[[Kept], bool]) -> None:
        """Take some out, in one step, and remove their copies then.

        Raises:
            OSError: The disk refused.
        """
        entries = list(self)
        gone = [kept for kept in entries if is_gone(kept)]
        if not gone:
            return
        stay = [_line(kept) for kept in entries if not is_gone(kept)]
        new = self.folder / "log.new"
        new.write_text("\n".join(["", *stay]), encoding="utf-8")
        new.replace(self._log)
        for kept in gone:
            if kept.file:
                self.copy(kept.file).unlink(missing_ok=True)


def _line(kept: Kept) -> str:
    return json.dumps(asdict(kept), separators=(",", ":"))
