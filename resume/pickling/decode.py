"""A stream and buffers back to objects, the living ones filled in place."""

from __future__ import annotations

import builtins
import contextlib
import functools
import io
import pickle
import struct
import sys
import types
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from resume.errors import RestoreError
from resume.pickling import anchors as anchoring
from resume.pickling import builders
from resume.pickling.session import Rebuild
from resume.pickling.stream import Reader, unpack


class DecodeProblem(RestoreError):
    """A whole state whose objects cannot be made again; args are (variable, type, why)."""

    def __init__(self, variable: str, type: str, why: str) -> None:  # noqa: A002 - a person reads it
        super().__init__(variable, type, why)
        self.variable = variable
        self.type = type
        self.why = why

    def __str__(self) -> str:
        what = f"{self.variable} ({self.type})" if self.type else self.variable
        return (
            f"cannot bring back {what}: {self.why}.\n"
            "The saved state is whole and stays. Put the class back as it was, name its new place "
            'with Checkpoint.add_types(rename={"old.Name": "new.Name"}), leave the variable out '
            "with exclude=, or start anew with clean=True."
        )


@dataclass
class Decoded:
    """What came back."""

    values: dict[str, Any]
    """By root, anchors included: there it is the living object."""
    anchored: dict[str, Any]
    """Every anchor by its path, for a second decode of the same bytes."""
    anchored: Mapping[str, Any]
    """By path, every object that keeps its identity."""
    unordered_sets: int = 0
    """Sets that iterate in another order than when they were saved."""


def decode(
    stream: bytes | memoryview,
    buffers: Sequence[memoryview],
    *,
    live: Mapping[str, Any] = types.MappingProxyType({}),
    anchored: Mapping[str, Any] = types.MappingProxyType({}),
    externals: Mapping[str, Any] = types.MappingProxyType({}),
    untouched: Collection[str] = (),
    cells: Callable[[str], types.CellType | None] | None = None,
    rename: Mapping[str, str] = types.MappingProxyType({}),
    own: Mapping[str, Any] = types.MappingProxyType({}),
    stand_ins: bool = False,
) -> Decoded:
    """Make the objects of *stream* again.

    Args:
        stream: As `encode` gave it.
        buffers: As `encode` gave them, in fresh writable memory that the objects may keep.
        live: The objects that anchors were saved for: they are filled in place, after all else
            has gone well.
        anchored: What an earlier decode of the same bytes gave as `anchored`: filled again.
        externals: What the program brings itself, by name.
        untouched: Anchors whose living object is referred to, and stays as it is.
        cells: Gives the cell of the frame's variable of that name.
        rename: Old to new dotted name of classes that have moved.
        own: The library's own objects by slot.
        stand_ins: Make a stand-in for a class that cannot be imported.

    Raises:
        DecodeProblem: A class or its state is not what it was; no living object was touched.
        RestoreError: Two saved objects are one in the program, or the other way round.
    """
    head, body = unpack(stream)
    spliced = {index for _, index in head["splices"]}
    reader = Reader(body, [(place, buffers[index]) for place, index in head["splices"]])
    rebuild = Rebuild(cells=cells, own=own)
    outside = [buffer for index, buffer in enumerate(buffers) if index not in spliced]
    unpickler = _Unpickler(reader, rebuild, rename, outside)
    places = _Places(head, live, anchored, externals).find(rebuild, rename)
    unpickler.places = places
    reader_of_places = _prologue(len(places))
    reader.put_before(reader_of_places)
    unpickler.load()
    values = {}
    for name in head["roots"]:
        values[name] = _load(unpickler, name)
    found = []
    for index, (names, _steps, path, kind, _shape) in enumerate(head["anchors"]):
        if kind not in anchoring.EMPTY:
            content = _load(unpickler, path)
            if names[0] not in untouched:
                found.append((places[index], kind, content))
        if kind not in ("given", "external") and not _steps:
            values |= {name: places[index] for name in names if name not in values}
    for place, kind, content in found:
        anchoring.put(place, kind, content)
    for finish in rebuild.last:
        finish()
    kept = {
        path: places[index]
        for index, (_, _, path, kind, _) in enumerate(head["anchors"])
        if kind not in ("given", "external")
    }
    return Decoded(values, kept, rebuild.unordered)


def _load(unpickler: _Unpickler, path: str) -> Any:
    try:
        return unpickler.load()[0]
    except MemoryError:
        raise
    except Exception as why:
        raise DecodeProblem(path, unpickler.latest, f"{type(why).__name__}: {why}") from why


def _prologue(count: int) -> bytes:
    """A pickle that puts the objects number 0 to *count* - 1 into the memo, and nothing else."""
    each = b"".join(
        b"J" + struct.pack("<i", index) + b"Q\x940" for index in range(count)
    )  # BININT, BINPERSID, MEMOIZE, POP
    return b"\x80\x05" + each + b"N."


class _Missing:
    """Stands where an object that is only referred to is not there: an error if anybody looks."""


class _Places:
    """The living object of every anchor, or a blank."""

    def __init__(
        self,
        head: dict[str, Any],
        live: Mapping[str, Any],
        anchored: Mapping[str, Any],
        externals: Mapping[str, Any],
    ) -> None:
        self.anchors = head["anchors"]
        self.packed = head["blank"]
        self.live = live
        self.anchored = anchored
        self.externals = externals
        self.plans: list[Any] = []
        self.found: list[Any] = []
        self.resized: list[tuple[bytearray, bytes]] = []

    def find(self, rebuild: Rebuild, rename: Mapping[str, str]) -> list[Any]:
        """All of them, in order.

        Raises:
            RestoreError: Two are one, or one is two.
        """
        taken: dict[int, str] = {}
        for names, steps, path, kind, shape in self.anchors:
            here = self._alive(names, steps, path, kind, shape)
            if kind not in ("given", "external", "class") and here is not None:
                if taken.setdefault(id(here), path) != path:
                    raise RestoreError(
                        f"{taken[id(here)]} and {path} were two objects when they were saved, and "
                        "are one now. The saved state is whole and stays. Make them two again "
                        "before the restore, or leave one out with exclude=."
                    )
            self.found.append(here)
        if any(here is None for here in self.found):
            self.plans = _Unpickler(io.BytesIO(self.packed), rebuild, rename, ()).load()
            for index in range(len(self.found)):
                self._make(index)
        return self.found

    def _make(self, index: int) -> Any:
        if self.found[index] is None:
            maker, args = self.plans[index]
            args = [self._make(a.index) if type(a) is anchoring.Place else a for a in args]
            self.found[index] = maker(*args)
        return self.found[index]

    def _alive(self, names: list[str], steps: Any, path: str, kind: str, shape: str) -> Any:
        if kind == "given":
            return _space(names[0])
        if kind == "external":
            return self.externals.get(names[0], _Missing())
        if path in self.anchored:
            return self.anchored[path]
        held = [self.live[name] for name in names if name in self.live]
        if not held:
            return None
        if any(other is not held[0] for other in held[1:]):
            raise RestoreError(
                f"{' and '.join(names)} were one object when they were saved, and are two now. The "
                "saved state is whole and stays. Pass one object again, or leave one out with "
                "exclude=."
            )
        try:
            here = anchoring.follow(held[0], steps)
        except LookupError:
            return None
        if kind == "bytearray" and type(here) is bytearray:
            self._resize(here, int(shape.split()[1]))
        return here if anchoring.shape_of(here, kind) == shape else None

    def _resize(self, here: bytearray, size: int) -> None:
        # At once: windows onto it are made on the way, and lock its size.
        if len(here) != size:
            self.resized.append((here, bytes(here)))
            here[size:] = bytes(max(0, size - len(here)))

    def undo(self) -> None:
        """Give resized objects their old contents, as far as nobody looks at them."""
        for here, before in self.resized:
            with contextlib.suppress(BufferError):
                here[:] = before


def _space(name: str) -> Any:
    if name == "modules":
        return sys.modules
    return vars(builtins if name == "builtins" else sys.modules["__main__"])


class _Unpickler(pickle.Unpickler):
    def __init__(
        self, file: Any, rebuild: Rebuild, rename: Mapping[str, str], buffers: Sequence[Any]
    ) -> None:
        super().__init__(file, buffers=iter(buffers))
        self.rebuild = rebuild
        self.rename = rename
        self.latest = ""
        self.places: list[Any] = []

    def find_class(self, module: str, name: str) -> Any:
        if module == builders.MODULE:
            found = getattr(builders, name)
            if builders.is_bound(name):
                return functools.partial(found, self.rebuild)
            return found
        self.latest = f"{module}.{name}"
        new = self.rename.get(self.latest)
        if new is not None:
            module, _, name = new.rpartition(".")
        return super().find_class(module, name)

    def persistent_load(self, pid: Any) -> Any:
        return self.places[pid] if type(pid) is int else pid
