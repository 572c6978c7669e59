"""The manifest of a sweep, beside its log: what people and other programs read of it."""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from resume import notices
from resume.engine import environment
from resume.errors import IntegrityError, SchemaVersionError
from resume.store import files, layout, trust
from resume.store.files import Disk
from resume.sweep.lines import Head
from resume.types import JSON, BodyRef, Draft, Manifest

_PIECE = 1 << 20


def path_of(log: Path) -> Path:
    """The manifest of the log at *log*."""
    return log.with_name(f"{log.name.removesuffix('.jsonl')}.manifest.json")


def write(log: Path, head: Head, counts: Mapping[str, int], *, name: str, size: int) -> None:
    """Say what the first *size* bytes of the log hold.

    Raises:
        OSError: The disk refused; the manifest is as it was.
    """
    body = BodyRef(log.name, size, _sha256(log, size))
    told: dict[str, JSON] = dict(counts)
    draft = Draft(
        trigger="sweep",
        elapsed_s=0.0,
        complete=counts["done"] == counts["items"],
        base=None,
        function=name,
        file=None,
        lineno=None,
        code={},
        call={},
        config=None,
        extra={"sweep": told},
        position={},
        variables=(),
        environment=environment(),
    )
    manifest = Manifest(
        schema_version=layout.SCHEMA_VERSION,
        name=name,
        line=head.line,
        number=1,
        parent=None,
        created_at=head.created_at,
        body=body,
        bodies=(body,),
        tables={},
        draft=draft,
        digest="",
    )
    _put(manifest, log)


def copy(log: Path, to: Path, size: int) -> None:
    """Let *to*, which holds *size* bytes of *log*, have its manifest, where that tells of no more.

    Raises:
        OSError: The disk refused; the manifest there is as it was.
    """
    try:
        manifest = layout.decode_manifest(path_of(log).read_bytes())
    except (FileNotFoundError, layout.FutureManifestError, layout.UnreadableManifestError):
        return  # it comes with the next one that is written
    if manifest.body.size_bytes <= size:
        body = replace(manifest.body, name=to.name)
        _put(replace(manifest, body=body, bodies=(body,), digest="", signature=None), to)


def _put(manifest: Manifest, log: Path) -> None:
    digest = str(layout.to_record(manifest)["digest"])
    record = layout.to_record(replace(manifest, signature=trust.sign(digest)))
    files.write_atomic(Disk(), path_of(log), layout.encode_manifest(record))


def _sha256(log: Path, size: int) -> str:
    found = hashlib.sha256()
    with log.open("rb") as lines:
        while size and (piece := lines.read(min(size, _PIECE))):
            found.update(piece)
            size -= len(piece)
    return found.hexdigest()


def check(log: Path, size: int) -> Manifest | None:
    """The manifest of *log*, of which *size* bytes are whole lines; None where there is none.

    Raises:
        IntegrityError: The log is shorter than the manifest says: lines are missing.
        SchemaVersionError: A later release wrote it.
    """
    path = path_of(log)
    try:
        manifest = layout.decode_manifest(path.read_bytes())
    except FileNotFoundError:
        return None
    except layout.FutureManifestError as why:
        raise SchemaVersionError(
            f"{path} is in format {why.version}; this version of resume reads format "
            f"{layout.SCHEMA_VERSION}. Nothing was changed. Use the release that wrote it."
        ) from why
    except layout.UnreadableManifestError as why:
        notices.warn(f"{path} is damaged ({why}); the log beside it is whole, and goes on")
        return None
    if size == 0:
        notices.warn(f"{log} is gone, and {path.name} beside it is there: the sweep begins anew")
        return None
    if size < manifest.body.size_bytes:
        raise IntegrityError(
            f"{log} has lost its end: {size} bytes of whole lines are left of "
            f"{manifest.body.size_bytes} that {path.name} tells of. Nothing was changed. Put the "
            f"log back from a copy; or remove {path.name} to go on with what is left; or start "
            "anew with ResumableSweep(..., clean=True), which sets both aside."
        )
    return manifest


def set_aside(log: Path, mark: str, *, keeps_log: bool = False) -> list[Path]:
    """Rename the log and what lies beside it, and replace nothing; the new names.

    Args:
        log: The log.
        mark: What the new names end in.
        keeps_log: Only what lies beside it is renamed.

    Raises:
        OSError: The disk refused.
    """
    moved: list[Path] = []
    number, first = 1, mark
    while list(log.parent.glob(f"{glob.escape(log.name.removesuffix('jsonl'))}*.aside-{mark}")):
        number += 1
        mark = f"{first}-{number}"
    beside = [path_of(log), log.with_name(f"{log.name}.results")]
    for path in beside if keeps_log else [*beside, log]:
        target = path.with_name(f"{path.name}.aside-{mark}")
        if path.exists():
            os.rename(path, target)  # noqa: PTH104 - one step
            moved.append(target)
    return moved
