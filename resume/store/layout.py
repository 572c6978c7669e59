r"""The format of a store, version 1. This text is the specification.

Folder
======
::

    <folder>/                                 0700; `.gitignore` holding `*`
      <name>/                                 0700; the name, percent-encoded (see below)
        00000012-9f3ac1.ckpt                  body of generation 12
        00000012.ckpt.manifest.json           manifest of generation 12
        lock                                  JSON record of the holder, empty when free
        lock.claim                            the same where the file system has no locks
        restores                              JSON lines: who restored since the last save
        .<final name>.<pid>-<host>-<hex>.tmp  scratch of a save that runs, or died

Names: UTF-8; every byte outside `[A-Za-z0-9._@-]`, a leading or trailing dot, become `%XX`. A
result over 200 characters is cut to 180 and gets `~` and 16 hex digits of the name's sha256; the
true name is in the manifests. Numbers have eight digits at least and rise from 1 over everything in
the folder.

Body
====
::

    resume body 1 {"host":..,"line":..,"number":..,"parent":..,"pid":..} <16 hex>\n
    extents, one after another, without gaps
    tables

The first line is ASCII; its 16 hex digits are xxh3-64 of the JSON text. It serves two ends: it says
whose line a generation belongs to when its manifest cannot be read, and whether its writer lives.
A body is written once and never changed; its name is never used again.

An **extent** is consecutive raw bytes of one piece (below), at most 4 MiB; usually 64 KiB at least.
It is stored raw (codec 0) or as one zstd frame (codec 1), with the xxh3-128 of its raw bytes. A
**buffer** is a list of **slices** (extent, start, length) that follow each other; no slice crosses
a multiple of 4 MiB of its buffer: those **pieces** carry an xxh3-128 each, which tells at the next
save what changed; 16 zeros where no save saw the piece as a whole. Buffer 0 is the pickle stream.

Slices of several buffers, and of several generations, may name the same extent, and an extent need
not be named in full. What no slice names is dead. A generation names 64 bodies at most, its own
included (one more where the body to be emptied turned out damaged), and a writer sees to it that
half of their bytes are live, at once or within a few saves: it copies live bytes of the emptiest
older bodies to the end of the new one, as extents like all others, and no slice of the new
generation names them in the old place. So a body may hold bytes of variables that did not change,
and an old body goes when the last manifest that names it goes. A reader need not know of it.

Tables
======
One zstd frame. Inside: `RSTB`, u32 version (1), u32 count of sections; for each section 16 bytes of
name (ASCII, zero-padded) and u64 size in bytes; then the sections' bytes in that order. All numbers
little-endian. Sections of other names are passed over.

==============  ==========  ====================================================================
extent_body     u32         index into the manifest's `bodies`
extent_offset   u64         place in that body
extent_stored   u32         bytes in the body
extent_raw      u32         bytes when decompressed
extent_codec    u8          0 raw, 1 zstd
extent_digest   16 bytes    xxh3-128 of the raw bytes, big-endian
slice_extent    u32         index of the extent
slice_start     u32         first byte in the extent's raw bytes
slice_length    u32
buffer_bytes    u64         size of each buffer
buffer_slices   u32         slices of each buffer
piece_digest    16 bytes    ceil(size / 4 MiB) for each buffer, in order
names           JSON        `[[path, kind], ...]`, one for each buffer
==============  ==========  ====================================================================

Manifest
========
JSON, ASCII, one object. Its appearance under its final name is the commit. For people and other
programs: `schema_version`, `sha256` and `size_bytes` (of the body), `extra`, `name`, `number`,
`created` (text) and all that `Draft` says (`trigger`, `elapsed_s`, `complete`, `base`, `function`,
`file`, `lineno`, `code`, `call`, `config`, `position`, `variables`, `environment`, `metric`). For
the store: `line` (random id of the line's first generation), `parent`, `ancestors` (numbers of the
chain that were there at the save, the parent first), `created_at` (seconds since the epoch), `body`
(file name), `bodies` (`name`, `size_bytes`, `sha256`; the own body first), `tables` (`offset`,
`size_bytes`, `sha256` in the own body), `digest`, `signature`.

`digest` is the sha256 of the canonical JSON (keys sorted, separators `,` and `:`, ASCII) of the
object without `digest` and `signature`. `signature` is null or HMAC-SHA256 over
`resume manifest <digest>` with the user's key: through the digests it covers all of it.

Versions
========
A reader takes `schema_version` 1, and the one before its own (there is none before 1). `digest` and
its rule, `schema_version` and the file names stay for all versions, so that a manifest from the
future can be told from a damaged one. 1: the first.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any

import xxhash

from resume.errors import ConfigError
from resume.types import BodyRef, Draft, Manifest, Variable

SCHEMA_VERSION = 1
READABLE = frozenset({1})
"""Versions that this release reads: its own and the one before, where that exists."""

BODY_NAME = re.compile(r"(\d{8,})-([0-9a-f]{6})\.ckpt")
ANY_BODY = re.compile(rb"\d{8,}-[0-9a-f]{6}\.ckpt")
MANIFEST_NAME = re.compile(r"(\d{8,})\.ckpt\.manifest\.json")

_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._@-")
_ENCODED = re.compile(r"(?:[A-Za-z0-9._@-]|%[0-9A-F]{2})+")
_LONGEST, _CUT = 200, 180
_HEAD = re.compile(rb"resume body 1 (\{.{0,400}?\}) ([0-9a-f]{16})\n")
HEAD_BYTES = 512
"""A body's first line is shorter than this."""

_DRAFT_FIELDS = tuple(one.name for one in fields(Draft))
_VARIABLE_FIELDS = tuple(one.name for one in fields(Variable))
_BODY_FIELDS = tuple(one.name for one in fields(BodyRef))


class UnreadableManifestError(ValueError):
    """The bytes are no manifest of this format: damaged, or never one."""


class FutureManifestError(ValueError):
    """The manifest is of a format version that this release does not read."""

    def __init__(self, version: int) -> None:
        super().__init__(version)
        self.version = version


def encode_name(name: str) -> str:
    """The folder's name for the checkpoint *name*: safe on every file system, and readable.

    Raises:
        ConfigError: *name* is empty.
    """
    if not name:
        raise ConfigError("a checkpoint's name cannot be empty: give Checkpoint(name=...)")
    raw = name.encode("utf-8", "surrogatepass")
    text = "".join(chr(byte) if byte in _SAFE else f"%{byte:02X}" for byte in raw)
    if text.startswith("."):
        text = f"%2E{text[1:]}"
    if text.endswith("."):
        text = f"{text[:-1]}%2E"
    if len(text) > _LONGEST:
        return f"{text[:_CUT]}~{hashlib.sha256(raw).hexdigest()[:16]}"
    return text


def decode_name(folder: str) -> str:
    """The checkpoint's name that `encode_name` turned into *folder*.

    Raises:
        ConfigError: *folder* is no such name, or a shortened one (the manifests inside tell it).
    """
    if _ENCODED.fullmatch(folder) is None:
        raise ConfigError(
            f"{folder!r} is not the folder of a checkpoint, or its name was shortened"
        )
    raw = re.sub(rb"%([0-9A-F]{2})", lambda hit: bytes([int(hit[1], 16)]), folder.encode())
    try:
        return raw.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError as why:
        raise ConfigError(f"{folder!r} is not the folder of a checkpoint") from why


def manifest_name(number: int) -> str:
    """File name of the manifest of generation *number*."""
    return f"{number:08d}.ckpt.manifest.json"


def body_name(number: int, mark: str) -> str:
    """File name of a body of generation *number*; *mark* is six random hex digits."""
    return f"{number:08d}-{mark}.ckpt"


@dataclass(frozen=True, slots=True)
class Head:
    """The first line of a body: what is known of a generation whose manifest cannot be read."""

    line: str
    number: int
    parent: int | None
    host: str
    """Mark of the machine, as in scratch names."""
    pid: int


def encode_head(head: Head) -> bytes:
    """The first line of a body."""
    text = canonical(asdict(head))
    return b"resume body 1 %s %s\n" % (text, xxhash.xxh3_64_hexdigest(text).encode())


def decode_head(data: bytes) -> Head | None:
    """The head of the body that starts with *data*; None where it is damaged or none."""
    match = _HEAD.match(data)
    if match is None or xxhash.xxh3_64_hexdigest(match[1]).encode() != match[2]:
        return None
    return Head(**json.loads(match[1]))


def canonical(data: Any) -> bytes:
    """The one JSON text of *data*: sorted keys, no spaces, ASCII."""
    return json.dumps(data, sort_keys=True, separators=(",", ":")).encode("ascii")


def digest_of(record: dict[str, Any]) -> str:
    """The sha256 that a manifest's record carries as `digest`."""
    rest = {key: value for key, value in record.items() if key not in ("digest", "signature")}
    return hashlib.sha256(canonical(rest)).hexdigest()


def to_record(manifest: Manifest) -> dict[str, Any]:
    """The JSON object of *manifest*, in the order that a person reads it, with its digest.

    Raises:
        ConfigError: `extra`, `config` or another free field holds what JSON cannot say.
    """
    draft = {one: getattr(manifest.draft, one) for one in _DRAFT_FIELDS}
    draft["variables"] = [_row(one, _VARIABLE_FIELDS) for one in manifest.draft.variables]
    extra = draft.pop("extra")
    record = {
        "schema_version": manifest.schema_version,
        "sha256": manifest.body.sha256,
        "size_bytes": manifest.body.size_bytes,
        "extra": extra,
        "name": manifest.name,
        "number": manifest.number,
        "created": _as_text(manifest.created_at),
        **draft,
        "line": manifest.line,
        "parent": manifest.parent,
        "ancestors": list(manifest.ancestors),
        "created_at": manifest.created_at,
        "body": manifest.body.name,
        "bodies": [_row(one, _BODY_FIELDS) for one in manifest.bodies],
        "tables": manifest.tables,
    }
    plain = _plain(record)
    return {**plain, "digest": digest_of(plain), "signature": manifest.signature}


def _row(one: Variable | BodyRef, names: tuple[str, ...]) -> dict[str, Any]:
    # asdict() copies what it finds, deeply: a tenth of the time of a small save
    return {name: getattr(one, name) for name in names}


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    # Through JSON once before the digest: keys become text and tuples lists, as a reader has them.
    try:
        return json.loads(json.dumps(record))  # type: ignore[no-any-return]
    except (TypeError, ValueError, RecursionError) as why:
        raise ConfigError(f"{_not_json(record)}= cannot be written as JSON: {why}") from why


def _not_json(record: dict[str, Any]) -> str:
    """The key of *record* whose value JSON cannot say."""
    for key, value in record.items():
        try:
            json.dumps(value)
        except (TypeError, ValueError, RecursionError):
            return key
    return "extra"  # all together are nested too deeply; no other goes as deep


def _as_text(created_at: float) -> str:
    try:
        return datetime.fromtimestamp(created_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return ""


def encode_manifest(record: dict[str, Any]) -> bytes:
    """The file of a manifest's record: a line for each entry, for people and line-wise tools."""
    # not by indent=, with which json (3.11 to 3.13) leaves its encoder in C
    entries = (f" {json.dumps(key)}: {_lines(value)}" for key, value in record.items())
    return ("{\n" + ",\n".join(entries) + "\n}\n").encode("ascii")


def _lines(value: Any) -> str:
    """JSON of *value*: a list of objects takes a line for each."""
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        return "[\n  " + ",\n  ".join(json.dumps(one) for one in value) + "\n ]"
    return json.dumps(value)


def decode_manifest(data: bytes) -> Manifest:
    """The manifest in *data*, its digest checked.

    Raises:
        UnreadableManifestError: Damaged, or no manifest.
        FutureManifestError: Whole, as far as that can be told, but of a later format.
    """
    record = _parse(data)
    version = record.get("schema_version")
    matches = record.get("digest") == digest_of(record)
    if isinstance(version, int) and version > SCHEMA_VERSION:
        if matches or not _is_flipped(record, version):
            raise FutureManifestError(version)
        raise UnreadableManifestError("its version number is damaged")
    if not matches:
        raise UnreadableManifestError("its text is not what was written (digest)")
    if version not in READABLE:
        raise UnreadableManifestError(f"there is no format version {version!r}")
    try:
        return from_record(record)
    except (KeyError, TypeError, ValueError, AttributeError) as why:
        raise UnreadableManifestError(f"it lacks what a manifest has ({why!r})") from why


def _parse(data: bytes) -> dict[str, Any]:
    try:
        record = json.loads(data.decode("ascii"))
    except (ValueError, RecursionError) as why:
        raise UnreadableManifestError("it is not JSON") from why
    if not isinstance(record, dict):
        raise UnreadableManifestError("it is not a JSON object")
    return record


def _is_flipped(record: dict[str, Any], version: int) -> bool:
    # One flipped bit makes 3, 5 or 9 of 1. With a version put back that makes the digest right,
    # the file is a damaged one of ours, not one from the future.
    if version < 10 and (version ^ SCHEMA_VERSION).bit_count() == 1:
        return record.get("digest") == digest_of({**record, "schema_version": SCHEMA_VERSION})
    return False


def from_record(record: dict[str, Any]) -> Manifest:
    """The manifest that a JSON object says, without a look at its digest."""
    draft = {
        one: record[one] for one in _DRAFT_FIELDS if one in record
    }  # later fields have defaults
    draft["variables"] = tuple(_variable(one) for one in draft["variables"])
    bodies = tuple(BodyRef(**one) for one in record["bodies"])
    return Manifest(
        schema_version=record["schema_version"],
        name=record["name"],
        line=record["line"],
        number=record["number"],
        parent=record["parent"],
        created_at=record["created_at"],
        body=BodyRef(record["body"], record["size_bytes"], record["sha256"]),
        bodies=bodies,
        tables=record["tables"],
        draft=Draft(**draft),
        digest=record["digest"],
        signature=record["signature"],
        ancestors=tuple(record["ancestors"]),
    )


def _variable(row: dict[str, Any]) -> Variable:
    known = {one: row[one] for one in _VARIABLE_FIELDS if one in row}
    shape = known.get("shape")
    return Variable(**{**known, "shape": None if shape is None else tuple(shape)})
