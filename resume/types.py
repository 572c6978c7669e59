"""Records that cross layers: frozen, without logic beyond their own fields.

Shapes: a buffer is one-dimensional raw memory. Units: sizes in bytes, times in seconds since the
epoch (`*_at`) or in seconds (`*_s`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, runtime_checkable

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"


@dataclass(frozen=True, slots=True)
class Buffer:
    """A large piece of state that stays outside the pickle stream."""

    path: str
    """Variable that it was met under (`model`), for pairing with the previous save."""
    view: memoryview
    """The live memory: one-dimensional, format `B`, C-contiguous. Others may write to it."""
    kind: str
    """What the bytes are (`<f8`, `bytes`): a hint for pairing and compression."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One row of the manifest's table of variables: all that a person sees without unpickling."""

    name: str
    type: str
    size_bytes: int
    preview: str = ""
    shape: tuple[int, ...] | None = None
    dtype: str | None = None
    skipped: str | None = None
    """Why the variable is not in the state, or None where it is."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What the engine wants recorded about a save; the store adds number, bodies and digests."""

    trigger: str
    """What asked for the save: `sync`, `save`, `start`, `finish`."""
    elapsed_s: float
    """Run time over all runs of this line."""
    complete: bool
    """The block that this state belongs to has ended."""
    base: int | None
    """For a complete generation: the earlier one that a rerun goes on from (kept by retention)."""
    function: str
    file: str | None
    """Source file, relative to the store's parent folder where it lies below it."""
    lineno: int | None
    code: dict[str, Any]
    """Fingerprint, tree of loops and source text of the function."""
    call: dict[str, Any]
    """`arguments` (as shown, secrets masked) and `digest` of the simple arguments at entry."""
    config: JSON
    extra: JSON
    position: dict[str, Any]
    """Door and loops; empty where the state has no position."""
    variables: tuple[Variable, ...]
    environment: dict[str, Any]
    """host, pid, argv, python, platform, hash_seed, versions, cwd."""
    metric: float | None = None
    """For `keep_best`."""


@dataclass(frozen=True, slots=True)
class BodyRef:
    """A body file that a generation needs, by name, whole size and sha256 of the whole file."""

    name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """One committed generation, as its JSON file says."""

    schema_version: int
    name: str
    line: str
    """Random id of the line's first generation."""
    number: int
    parent: int | None
    created_at: float
    body: BodyRef
    """The body that this generation added."""
    bodies: tuple[BodyRef, ...]
    """All bodies that its buffers need, its own included."""
    tables: dict[str, Any]
    """Place (offset, size) and sha256 of the binary tables in the own body."""
    draft: Draft
    digest: str
    """sha256 over the manifest's canonical JSON without `digest` and `signature`."""
    signature: str | None = None
    ancestors: tuple[int, ...] = ()
    """The chain that this generation stands on, as far as it was there then: parent first."""


@runtime_checkable
class Buffers(Protocol):
    """Buffers of a generation. What an error leaves half filled is no good to anybody.

    Each call below that needs bytes from the disk raises `StoreError` where they are not there, or
    not those that were written.
    """

    def __len__(self) -> int:
        """How many there are."""

    def __getitem__(self, index: int) -> memoryview:
        """The bytes in writable memory of their own, which who asks may keep.

        Asked for again it is the same memory, where that is alive and still holds these bytes.
        """

    def __iter__(self) -> Iterator[memoryview]:
        """All, in the order of the save."""

    def size_of(self, index: int) -> int:
        """Bytes of a buffer."""

    def is_held(self, index: int) -> bool:
        """Whether its bytes are in memory, waiting to be handed out."""

    def read_into(self, index: int, target: memoryview) -> None:
        """Fill *target*, which is as large as the buffer."""

    def set_apart(self, indexes: Collection[int]) -> None:
        """These are not asked for, most likely, but filled: nothing is read ahead for them."""

    def fill(self, places: Mapping[int, memoryview]) -> None:
        """Make *places* hold the bytes of their buffers. What they hold already is not read.

        Damage is found before any of them is changed, unless it comes about meanwhile.
        """


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of one generation, verified: what was committed."""

    stream: bytes | memoryview
    buffers: Buffers | Sequence[memoryview] = field(default=())
    """In the order of the save; one-dimensional, format `B`, writable, each its own memory."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding of `verify`."""

    file: str
    what: str
    generations: tuple[int, ...]
    """Generations that it harms."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A variable that could not be saved."""

    name: str
    path: str
    """Way to the culprit: `loader.workers[0].socket`."""
    type: str
    why: str
    remedy: str
