"""A copy of the folder that a script works in, so that no proof touches what is really there.

What lies in the folder is copied, links that lead out of it by what they lead to. Left out are
what no script works with: repositories' own folders, checkpoints, compiled modules, virtual
environments. Named folders that are only read may be linked instead.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from resume.errors import ConfigError
from resume.units import show_bytes

_LEFT_OUT = frozenset({".git", ".hg", ".svn", ".checkpoints", "__pycache__"})


@dataclass(frozen=True, slots=True)
class _Piece:
    path: Path
    """Relative to the folder."""
    source: Path
    """What is copied: a file, or a folder without what is in it."""
    link: str | None = None
    """Where a link leads that is made in its place."""
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Copied:
    """What was copied."""

    files: int
    size_bytes: int
    linked: int


def copy_folder(
    source: Path, target: Path, *, most_bytes: int, linked: Collection[Path] = ()
) -> Copied:
    """Copy the folder *source* to the new folder *target*.

    Args:
        source: An absolute path.
        target: Must not lie in it.
        most_bytes: What the files may take in all.
        linked: Paths in the folder, relative to it, that are linked and not copied.

    Raises:
        ConfigError: The folder is larger; nothing was copied. The text names what takes most.
    """
    pieces = list(_pieces(source, source, linked, ()))
    size = sum(piece.size_bytes for piece in pieces)
    if size > most_bytes:
        raise ConfigError(_too_large(source, pieces, size, most_bytes))
    target.mkdir()
    for piece in pieces:
        place = target / piece.path
        if piece.link is not None:
            place.symlink_to(piece.link)
        elif piece.source.is_dir():
            place.mkdir()
        else:
            shutil.copy2(piece.source, place)
    is_file = [piece for piece in pieces if piece.link is None and not piece.source.is_dir()]
    return Copied(len(is_file), size, sum(piece.path in linked for piece in pieces))


def _pieces(
    root: Path, folder: Path, linked: Collection[Path], inside: tuple[str, ...]
) -> Iterator[_Piece]:
    """Yield what is to be made, folders before what is in them."""
    below = (*inside, os.path.realpath(folder))
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        source = Path(entry.path)
        path = source.relative_to(root)
        if path in linked:
            yield _Piece(path, source, link=os.path.realpath(source))
        elif entry.is_symlink() and (link := _link(root, source)) is not None:
            yield _Piece(path, source, link=link)
        elif entry.is_dir():
            if not _is_left_out(source) and os.path.realpath(source) not in below:
                yield _Piece(path, source)
                yield from _pieces(root, source, linked, below)
        elif entry.is_file():
            yield _Piece(path, source, size_bytes=entry.stat().st_size)


def _link(root: Path, source: Path) -> str | None:
    """Where the copy of a link leads; None: what it leads to is copied in its place."""
    target, real = Path(os.path.realpath(source)), Path(os.path.realpath(root))
    if target.is_relative_to(real) and target != real:
        return os.path.relpath(target, os.path.realpath(source.parent))
    return None if target.exists() else str(source.readlink())


def _is_left_out(folder: Path) -> bool:
    return folder.name in _LEFT_OUT or (folder / "pyvenv.cfg").exists()


def _too_large(source: Path, pieces: list[_Piece], size: int, most: int) -> str:
    by_name: Counter[str] = Counter()
    for piece in pieces:
        by_name[piece.path.parts[0]] += piece.size_bytes
    largest = ", ".join(f"{name} {show_bytes(size)}" for name, size in by_name.most_common(3))
    return (
        f"{source} holds {show_bytes(size)}, and each run works in a copy of it: at most "
        f"{show_bytes(most)} unless you say otherwise. Most of it: {largest}. What the script only "
        "reads need not be copied: --link NAME. Or allow more: --limit 8GiB. Nothing was run"
    )
