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
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from resume.errors import RestoreError, StoreError
from resume.pickling import anchors as anchoring
from resume.pickling import builders, culprits, tensors, views
from resume.pickling import contents as inside
from resume.pickling.session import Rebuild
from resume.pickling.standins import StandIns
from resume.pickling.stream import Given, Reader, unpack
from resume.types import Buffers

Approve: TypeAlias = "Callable[[Mapping[str, Any], Sequence[Any]], None]"


class DecodeProblem(RestoreError):  # noqa: N818 - the callers' word for it
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
    anchored: Mapping[str, Any]
    """Every anchor by its path, for a second decode of the same bytes."""
    unordered_sets: int = 0
    """Sets that iterate in another order than when they were saved."""


def decode(
    stream: bytes | memoryview,
    buffers: Buffers | Sequence[memoryview],
    *,
    live: Mapping[str, Any] = types.MappingProxyType({}),
    anchored: Mapping[str, Any] = types.MappingProxyType({}),
    externals: Mapping[str, Any] = types.MappingProxyType({}),
    untouched: Collection[str] = (),
    cells: Callable[[str], types.CellType | None] | None = None,
    rename: Mapping[str, str] = types.MappingProxyType({}),
    own: Mapping[str, Any] = types.MappingProxyType({}),
    stand_ins: bool = False,
    approve: Approve | None = None,
) -> Decoded:
    """Make the objects of *stream* again.

    Args:
        stream: As `encode` gave it.
        buffers: As `encode` gave them, in fresh writable memory that the objects may keep; each is
            asked for once, and not held on to.
        live: The objects that anchors were saved for: they are filled in place, after all else
            has gone well.
        anchored: What an earlier decode of the same bytes gave as `anchored`: filled again.
        externals: What the program brings itself, by name.
        untouched: Anchors whose living object is referred to, and stays as it is.
        cells: Gives the cell of the frame's variable of that name.
        rename: Old to new dotted name of classes that have moved.
        own: The library's own objects by slot.
        stand_ins: Make a stand-in for a class that cannot be imported.
        approve: Called with the values by root and the contents still to be put in place, before
            any living object is touched; what it raises ends the decode.

    Raises:
        DecodeProblem: A class or its state is not what it was; no living object was touched.
        RestoreError: Two saved objects are one in the program, or the other way round.
        StoreError: What *buffers* raise. No living object was touched, unless the disk changed
            while they were filled.
    """
    lent = buffers if isinstance(buffers, Buffers) else Given(buffers)
    replaced: set[str] = set()
    while True:
        head, body = unpack(stream)
        places = _Places(head, live, anchored, externals, lent)
        rebuild = Rebuild(cells=cells, own=own)
        run = _Run(head, body, lent, places, rebuild, rename, stand_ins, replaced)
        try:
            return run.decode(frozenset(untouched), approve)
        except DecodeProblem as why:
            if not stand_ins or not why.type or why.type in replaced:
                raise
            replaced.add(why.type)  # importable, but its state is refused: show that as well
        finally:
            places.undo()


def first_root(
    stream: bytes | memoryview, buffers: Buffers | Sequence[memoryview], name: str
) -> Any:
    """Decode the first root alone, if it has this name and holds small plain data; else None.

    Nothing of the program is needed for it, and no buffer is asked for.
    """
    lent = buffers if isinstance(buffers, Buffers) else Given(buffers)
    head, body = unpack(stream)
    if head["roots"][:1] != [name]:
        return None
    reader = Reader(body, head["splices"], lent)
    reader.put_before(_prologue(len(head["anchors"])))
    unpickler = _Unpickler(reader, Rebuild(), {}, (), None)
    unpickler.places = [None] * len(head["anchors"])
    unpickler.load()
    return unpickler.load()[0]


class _Run:
    """One pass over the stream."""

    def __init__(
        self,
        head: dict[str, Any],
        body: memoryview,
        buffers: Buffers,
        where: _Places,
        rebuild: Rebuild,
        rename: Mapping[str, str],
        stand_ins: bool,  # noqa: FBT001
        replaced: set[str],
    ) -> None:
        self.head = head
        self.buffers = buffers
        self.reader = Reader(body, self.head["splices"], buffers)
        self.rebuild = rebuild
        stands = StandIns(replaced) if stand_ins else None
        self.where = where
        outside = _outside(where, {index for _, index in self.head["splices"]})
        self.unpickler = _Unpickler(self.reader, rebuild, rename, outside, stands)
        self.plans = _Unpickler(io.BytesIO(self.head["blank"]), rebuild, rename, (), stands)

    def decode(self, untouched: frozenset[str], approve: Approve | None) -> Decoded:
        """Decode all, and only then touch what is alive."""
        where = self.where
        self.unpickler.places = where.find(self.plans)
        self.buffers.set_apart(where.in_place)
        self.reader.put_before(_prologue(len(where.found)))
        self.unpickler.load()
        where.remember()
        values = {name: self._load(name) for name in self.head["roots"]}
        contents = self._contents(untouched)
        for index, (names, steps, _, kind, _) in enumerate(self.head["anchors"]):
            if kind not in ("given", "external") and not steps:
                values |= {name: where.found[index] for name in names if name not in values}
        where.refuse_missing()
        if approve is not None:
            approve(values, [content for _, _, _, content in contents])
        self.unpickler.let_go()
        self.buffers.fill(where.in_place)
        self._put(contents)
        where.resized.clear()
        return Decoded(values, where.kept(), self.rebuild.unordered)

    def _contents(self, untouched: frozenset[str]) -> list[tuple[str, Any, str, Any]]:
        contents = []
        for index, (names, _, path, kind, _) in enumerate(self.head["anchors"]):
            if kind in anchoring.EMPTY:
                continue
            content = self._load(path)
            if names[0] in untouched:
                self.where.leave(index)
            else:
                content = self.where.fitting(index, content)
                contents.append((path, self.where.found[index], kind, content))
        return contents

    def _put(self, contents: list[tuple[str, Any, str, Any]]) -> None:
        # Objects before containers: keys and items of those may hash by what those hold.
        contents.sort(key=lambda row: row[2] != "object")
        contents.reverse()
        while contents:
            path, place, kind, content = contents.pop()  # the memory of each is free after it
            try:
                if kind == "set":
                    self.rebuild.unordered += not inside.put_set(place, *content)
                else:
                    inside.put(place, kind, content)
            except Exception as why:
                raise DecodeProblem(path, culprits.type_name(place), _text(why)) from why
        for finish in self.rebuild.last:
            finish()

    def _load(self, path: str) -> Any:
        try:
            return self.unpickler.load()[0]
        except (MemoryError, StoreError):
            raise
        except Exception as why:
            raise DecodeProblem(
                path, _class_behind(why) or self.unpickler.latest, _text(why)
            ) from why


def _outside(places: _Places, spliced: set[int]) -> Iterator[memoryview]:
    """The buffers that the stream has no place for, as the unpickler asks for them."""
    for index in range(len(places.buffers)):
        if index not in spliced:
            yield places.buffer(index)


def _text(why: Exception) -> str:
    return f"{type(why).__name__}: {why}"


def _class_behind(why: BaseException) -> str:
    """The class whose method raised *why*; empty where no method of a user's class did."""
    trace = why.__traceback__
    found = ""
    while trace is not None:
        code = trace.tb_frame.f_code
        if (
            code.co_name in ("__setstate__", "__new__", "__init__", "__setattr__")
            and code.co_argcount
        ):
            owner = trace.tb_frame.f_locals.get(code.co_varnames[0])
            kind = owner if isinstance(owner, type) else type(owner)
            found = found or f"{kind.__module__}.{kind.__qualname__}"
        trace = trace.tb_next
    return found


def _prologue(count: int) -> bytes:
    """A pickle that puts the objects number 0 to *count* - 1 into the memo, and nothing else."""
    each = b"".join(
        b"J" + struct.pack("<i", index) + b"Q\x940" for index in range(count)
    )  # BININT, BINPERSID, MEMOIZE, POP
    return b"\x80\x05" + each + b"N."


class _Missing:
    """Stands where an object that is only referred to is not there: an error if anybody looks."""

    def __init__(self, name: str) -> None:
        self.name = name


def _plan(plans: _Unpickler, path: str) -> Any:
    try:
        return plans.load()
    except Exception as why:
        raise DecodeProblem(path, _class_behind(why) or plans.latest, _text(why)) from why


class _Places:
    """The living object of every anchor, or a blank."""

    def __init__(
        self,
        head: dict[str, Any],
        live: Mapping[str, Any],
        anchored: Mapping[str, Any],
        externals: Mapping[str, Any],
        buffers: Buffers,
    ) -> None:
        self.anchors = head["anchors"]
        self.direct: Mapping[int, int] = head["direct"]
        self.buffers = buffers
        self.taken: dict[int, memoryview] = {}
        """Buffers over which blanks were made."""
        self.in_place: dict[int, memoryview] = {}
        """The memory of living arrays that is to hold a buffer again, without a copy beside it."""
        self.live = live
        self.anchored = anchored
        self.externals = externals
        self.plans: list[Any] = []
        self.found: list[Any] = []
        self.resized: list[tuple[bytearray, bytes]] = []
        self.counts: dict[int, int] = {}

    def find(self, plans: _Unpickler) -> list[Any]:
        """All of them, in order.

        Raises:
            RestoreError: Two are one, or one is two.
        """
        taken: dict[int, str] = {}
        for names, steps, path, kind, shape in self.anchors:
            here = self._alive(names, steps, path, kind, shape)
            is_filled = kind not in ("given", "external", "class") and here is not None
            if is_filled and taken.setdefault(id(here), path) != path:
                raise RestoreError(
                    f"{taken[id(here)]} and {path} were two objects when they were saved, and "
                    "are one now. The saved state is whole and stays. Make them two again "
                    "before the restore, or leave one out with exclude=."
                )
            self.found.append(here)
        if any(here is None for here in self.found):
            self.plans = [_plan(plans, path) for _, _, path, _, _ in self.anchors]
            for index in range(len(self.found)):
                self._make(index)
        for index, buffer in self.direct.items():
            if buffer not in self.taken and not self.buffers.is_held(buffer):
                look = tensors if self.anchors[index][3] == "tensor" else views
                memory = look.memory_to_fill(self.found[index], self.buffers.size_of(buffer))
                if memory is not None:
                    self.in_place[buffer] = memory
        return self.found

    def buffer(self, index: int) -> memoryview:
        """Memory for what the stream makes over buffer *index*."""
        for memory in (self.in_place.get(index), self.taken.pop(index, None)):
            if memory is not None:
                return memory
        return self.buffers[index]

    def leave(self, index: int) -> None:
        """The living object of anchor *index* stays as it is."""
        self.in_place.pop(self.direct.get(index, -1), None)

    def fitting(self, index: int, content: Any) -> Any:
        """*content* of anchor *index*, over memory of its own where the living one's does not do.

        The items of an array with another order of its axes do not lie there as they were saved.
        """
        buffer = self.direct.get(index, -1)
        here = self.found[index]
        if buffer not in self.in_place or type(content) is tuple or views.lies_alike(content, here):
            return content
        del self.in_place[buffer]
        return views.moved(content, self.buffers[buffer])

    def remember(self) -> None:
        """Count who looks at what is missing, before anything was decoded."""
        self.counts = self._count()

    def _count(self) -> dict[int, int]:
        return {
            index: sys.getrefcount(thing)
            for index, thing in enumerate(self.found)
            if type(thing) is _Missing
        }

    def refuse_missing(self) -> None:
        """Raise where a decoded object refers to what is missing."""
        for index, count in self._count().items():
            if count > self.counts[index]:
                name = self.found[index].name
                raise RestoreError(
                    f"the saved state refers to {name}, which was left out of it and is not here. "
                    f"The saved state is whole and stays. Create {name} before the restore, or "
                    "save it too."
                )

    def kept(self) -> dict[str, Any]:
        """By path, what keeps its identity."""
        return {
            path: place
            for place, (_, _, path, kind, _) in zip(self.found, self.anchors, strict=True)
            if kind not in ("given", "external")
        }

    def _make(self, index: int) -> Any:
        if self.found[index] is None:
            maker, args = self.plans[index]
            args = [self._make(a.index) if type(a) is inside.Place else a for a in args]
            if index in self.direct and maker is views.blank and not args[1].hasobject:
                shape, dtype, axes = args
                memory = self.buffers[self.direct[index]]
                self.taken[self.direct[index]] = memory
                self.found[index] = views.array(memory, dtype, shape, axes, True)
            else:
                self.found[index] = maker(*args)
        return self.found[index]

    def _alive(self, names: list[str], steps: Any, path: str, kind: str, shape: str) -> Any:
        if kind == "given":
            return _space(names[0])
        if kind == "external":
            return self.externals.get(names[0], _Missing(names[0]))
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
        return here if inside.shape_of(here, kind) == shape else None

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
        self,
        file: Any,
        rebuild: Rebuild,
        rename: Mapping[str, str],
        buffers: Iterable[Any],
        stands: StandIns | None,
    ) -> None:
        super().__init__(file, buffers=iter(buffers))
        self.rebuild = rebuild
        self.rename = rename
        self.stands = stands
        self.latest = ""
        self.places: list[Any] = []

    def let_go(self) -> None:
        """Forget everything that was made, and what it was made of."""
        self.memo = {}
        self.places = []

    def find_class(self, module: str, name: str) -> Any:
        if module == builders.MODULE:
            found = getattr(builders, name)
            return functools.partial(found, self.rebuild) if builders.is_bound(name) else found
        self.latest = f"{module}.{name}"
        new = self.rename.get(self.latest)
        if new is not None:
            module, _, name = new.rpartition(".")
        if self.stands is not None:
            return self.stands.find(module, name, super().find_class)
        return super().find_class(module, name)

    def persistent_load(self, pid: Any) -> Any:
        return self.places[pid] if type(pid) is int else pid
