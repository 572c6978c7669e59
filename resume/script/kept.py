"""What the rewriting of a file gave, kept from run to run: one small file of the user's cache each.

Rewriting costs about 0.2 ms a line, and needs `ast` and `dis`. What is kept is the code, with names
in place of the helpers in it. The tables, trees and blocks that a save needs are not: they are made
again from the source, when the first save is due, and are the same for the same source.

A file of the cache is used only if nobody else can write it: what is in it will run.
"""

from __future__ import annotations

import contextlib
import importlib.util
import marshal
import os
import sys
from collections.abc import Mapping
from types import CodeType
from typing import Any, NamedTuple, TypeAlias

Outline: TypeAlias = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], tuple[str, ...], bool]
"""The fields of `rewrite.Outside`, sorted."""

MARKER = "\ue0007d1f5c0a:resume:"  # as in rewrite/building.py, which is not imported for it


class Facts(NamedTuple):
    """What is known of one file."""

    outline: Outline | None
    """None: nobody asked for it yet."""
    imports: tuple[str, ...]
    """All that it may import, by dotted names."""
    speaks: bool
    """Compiling it gives warnings."""
    code_for: bytes
    """Digest of the outlines of all modules that the code was made for."""
    code: bytes
    """Empty: it was not rewritten yet."""


def digest(data: bytes) -> bytes:
    """Tell data from other data, as for the interpreter's own cache; no proof against malice."""
    return importlib.util.source_hash(data) + len(data).to_bytes(8, "little")


def _folder() -> str:
    if proof := os.environ.get("RESUME_PROOF"):  # its scripts lie in a scratch folder
        return os.path.join(proof, "code")  # noqa: PTH118
    if sys.platform in {"win32", "darwin"}:  # pragma: no cover - by the system
        from platformdirs import user_cache_dir  # noqa: PLC0415 - 10 ms

        return os.path.join(user_cache_dir("resume"), "code")  # noqa: PTH118
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111
    return os.path.join(base, "resume", "code")  # noqa: PTH118


def _tag() -> tuple[Any, ...]:
    """Return all that the rewriting depends on beside the source."""
    package = os.path.join(os.path.dirname(os.path.dirname(__file__)), "rewrite")  # noqa: PTH118, PTH120
    with os.scandir(package) as found:
        rewriter = sorted(
            (each.name, each.stat().st_mtime_ns, each.stat().st_size)
            for each in found
            if each.name.endswith(".py")
        )
    columns = compile("0", "", "eval").co_linetable  # they may be switched off
    return sys.version, sys.flags.optimize, columns, tuple(rewriter)


class Kept:
    """The cache folder, for one program: the code of a module depends on those around it."""

    def __init__(self, program: str) -> None:
        self._program, self._folder, self._tag = program, _folder(), _tag()

    def _path(self, path: str) -> str:
        name = (
            digest(os.fsencode(f"{self._program}\n{path}")).hex()
            + f".{sys.implementation.cache_tag}"
        )
        return os.path.join(self._folder, name)  # noqa: PTH118

    def load(self, path: str, data: bytes) -> Facts | None:
        """Return what is kept of a file with that text, None where nothing is."""
        try:
            with open(self._path(path), "rb") as file:  # noqa: PTH123
                status = os.fstat(file.fileno())
                if hasattr(os, "geteuid") and (
                    status.st_uid != os.geteuid() or status.st_mode & 0o022
                ):
                    return None
                whole = file.read()
        except OSError:
            return None
        if whole[:16] != digest(whole[16:]):
            return None
        tag, source, facts = marshal.loads(whole[16:])  # noqa: S302 - the user's own, as .pyc is
        return Facts(*facts) if tag == self._tag and source == digest(data) else None

    def store(self, path: str, data: bytes, facts: Facts) -> None:
        """Keep it, where the disk lets us: else the next start takes its time again."""
        body = marshal.dumps((self._tag, digest(data), tuple(facts)))
        final = self._path(path)
        scratch = f"{final}.{os.getpid()}"
        with contextlib.suppress(OSError):
            os.makedirs(self._folder, mode=0o700, exist_ok=True)  # noqa: PTH103
            descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "wb") as file:  # noqa: PTH123
                file.write(digest(body) + body)
            os.replace(scratch, final)  # noqa: PTH105


def packed(code: CodeType, helpers: Mapping[str, Any]) -> bytes:
    """Return the code as bytes, with names in place of the helpers in it."""
    names = {id(value): MARKER + name for name, value in helpers.items()}

    def named(value: Any) -> Any:
        if isinstance(value, CodeType):
            return value.replace(co_consts=tuple(map(named, value.co_consts)))
        return names.get(id(value), value)

    return marshal.dumps(named(code))


def unpacked(data: bytes, helpers: Mapping[str, Any]) -> CodeType:
    """Return a new code object that holds the helpers."""

    def held(value: Any) -> Any:
        if isinstance(value, CodeType):
            constants = tuple(map(held, value.co_consts))
            same = all(map(_is, constants, value.co_consts))
            return value if same else value.replace(co_consts=constants)
        if isinstance(value, str) and value.startswith(MARKER):
            return helpers[value.removeprefix(MARKER)]
        return value

    code: CodeType = held(marshal.loads(data))  # noqa: S302 - made by `packed`
    return code


def _is(one: object, other: object) -> bool:
    return one is other
