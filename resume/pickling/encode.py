"""Objects to a stream and buffers: one C pickler, one memo over all roots."""

from __future__ import annotations

import builtins
import functools
import io
import sys
import types
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from resume.pickling import anchors as anchoring
from resume.pickling import contents as inside
from resume.pickling import culprits, deep, sharing, tensors, views
from resume.pickling.picklers import Press, Spare, plain_pickler
from resume.pickling.reducers import Table
from resume.pickling.session import Look, Reducers, Session
from resume.pickling.stream import Writer, pack
from resume.types import Buffer, Skipped

EXCLUDE = "leave it out with Checkpoint(..., exclude=[{name!r}]), or give the class a __getstate__"


@dataclass
class Encoded:
    """The graph of all roots as bytes. It holds on to the objects until `forget`.

    While it lives, a large bytearray cannot change its size, for its memory is lent out.
    """

    parts: tuple[bytes, ...]
    """The stream in pieces, in order: whoever writes it needs no second copy of it."""
    buffers: tuple[Buffer, ...]
    sizes: Mapping[str, int]
    """Share of each root in the bytes; what two roots share counts for the first."""
    skipped: tuple[Skipped, ...]
    has_sets: bool
    """Whether sets were met; only an encode with `sets=True` can tell."""
    unordered_sets: int
    """Sets whose order another process may not repeat."""
    without_graph: tuple[str, ...]
    """Roots with a tensor that `backward()` can be called on, and not on what comes back."""
    graph: sharing.Graph | None = field(repr=False)
    """Knows what is in it, and holds on to all of that; None once it was let go."""
    give_back: Callable[[], None] | None = field(repr=False)
    """Lets go of the objects, and leaves the pickler to the next encode."""

    @property
    def stream(self) -> bytes:
        """The stream in one piece, a copy."""
        return b"".join(self.parts)

    def shared_with_saved(self, value: Any) -> str | None:
        """Name of the saved root that holds a mutable object which *value* holds too, or None."""
        return self._asked().shared_with(value)

    def holds(self, thing: Any) -> bool:
        """Whether *thing* itself is part of the saved graph."""
        return self._asked().owner(thing) is not None

    def forget(self) -> None:
        """Let go of all objects but the buffers: from now on nothing can be asked of the graph.

        To be called by the thread that owns the objects: those that nobody else holds end here.
        """
        self.graph = None
        give_back, self.give_back = self.give_back, None
        if give_back is not None:
            give_back()

    def _asked(self) -> sharing.Graph:
        if self.graph is None:
            raise ValueError("the graph was let go")
        return self.graph


def encode(
    roots: Mapping[str, Any],
    *,
    anchors: Mapping[str, Any] = types.MappingProxyType({}),
    externals: Mapping[str, Any] = types.MappingProxyType({}),
    optional: Collection[str] = (),
    reducers: Reducers | None = None,
    cells: Callable[[types.CellType, str], str | None] | None = None,
    own: Collection[Any] = (),
    look: Look | None = None,
    sets: bool = True,
    known_bad: Mapping[str, str] = types.MappingProxyType({}),
    shallow: Collection[str] = (),
    spare: Spare | None = None,
) -> Encoded:
    """Turn *roots* and the contents of *anchors* into one stream.

    Args:
        roots: Name to object, in the order in which they are saved. Two names for one object
            are one object again.
        anchors: Objects that others hold too: saved as references, their contents beside.
        externals: Objects that are referred to by name, and never written.
        optional: Names that may be left out without a word; they are in `skipped` all the same.
        reducers: The user's own, type to callable.
        cells: Tells that a cell belongs to the owner's frame: name of its variable, or None.
        own: The library's own objects, by slot: saved as references to the slot.
        look: What the owner's program says of its own types, asked before the core.
        sets: Keep the order of sets. Off saves a third of the time on large dicts.
        known_bad: Roots that failed before, with the reason: left out without a try.
        shallow: Names of anchors whose parts keep no identity of their own.
        spare: What one save leaves for the next, once `Encoded.forget` was called.

    Returns:
        The graph. A root that cannot be saved is in `skipped`; the rest is whole.
    """
    del optional  # every root may be left out; what to say about it is the caller's
    skipped = {
        name: Skipped(
            name, name, culprits.type_name(value), known_bad[name], EXCLUDE.format(name=name)
        )
        for name, value in {**anchors, **roots}.items()
        if name in known_bad
    }
    levels: dict[str, int] = {}
    while True:
        session = Session(reducers=reducers, cells=cells, own=own, look=look)
        attempt = _Attempt(session, spare or Spare(), with_sets=sets)
        attempt.run(
            {name: value for name, value in roots.items() if name not in skipped},
            {name: value for name, value in anchors.items() if name not in skipped},
            shallow,
            externals,
            levels,
        )
        if not attempt.failed:
            return attempt.result(tuple(skipped.values()))
        for name, skip in attempt.failed.items():
            level = levels.get(name, 0)
            if skip.why == culprits.TOO_DEEP and level < len(deep.LEVELS):
                levels[name] = level + 1
            else:
                skipped[name] = skip


class _Attempt:
    """One pass over all roots. Where a root fails the memo is soiled, and a new pass is due."""

    def __init__(self, session: Session, spare: Spare, *, with_sets: bool) -> None:
        self.session = session
        self.table = Table(session)
        self.writer = Writer()
        self.spare = spare
        self.press: Press
        self.with_sets = with_sets
        self.failed: dict[str, Skipped] = {}
        self.ends: list[tuple[Any, str]] = []
        """What was dumped last for a name: all memo places up to its own belong to the name."""
        self.sizes: dict[str, int] = {}
        self.without_graph: dict[str, None] = {}
        self.head: dict[str, Any] = {"direct": {}}
        """`direct`: buffer that is all of an array or a tensor, by anchor: no copy beside it."""
        self.anchors: list[anchoring.Anchor] = []

    def run(
        self,
        roots: dict[str, Any],
        given: dict[str, Any],
        shallow: Collection[str],
        externals: Mapping[str, Any],
        levels: Mapping[str, int],
    ) -> None:
        """Dump everything; what fails is in `failed` afterwards."""
        fixed = [*_hidden(), *anchoring.externals(externals)]
        taken = {id(anchor.thing) for anchor in fixed}
        found, by_value = anchoring.find_anchors(given, self.table, shallow, taken)
        self.anchors = [*fixed, *found, *self._cuts({**given, **roots}, levels, taken, found)]
        for anchor in self.anchors:
            if anchor.kind == "array" and views.is_owner(anchor.thing):
                tensors.note_array(self.session, views.address(anchor.thing), anchor.thing)
        for anchor in self.anchors:
            if anchor.kind == "tensor":
                tensors.note_tensor(self.session, anchor.thing)
        self._blueprints()
        self.press = self.spare.lend(
            self.session,
            self.writer,
            [anchor.thing for anchor in self.anchors],
            with_sets=self.with_sets,
        )
        self.session.anchored = {id(a.thing): a for a in self.anchors}
        self.head["anchors"] = [
            (a.names or [a.root], a.steps, a.path, a.kind, inside.shape_of(a.thing, a.kind))
            for a in self.anchors
        ]
        values = {**roots, **{name: by_value[name] for name in by_value if name not in roots}}
        for name, value in values.items():
            self._dump(name, name, value, value, self.press.pickler.dump)
        for index, anchor in enumerate(self.anchors):
            if anchor.root not in self.failed and anchor.kind not in anchoring.EMPTY:
                before = len(self.writer.buffers)
                self._dump_contents(anchor)
                if self._is_first_all_of(anchor, before):
                    self.head["direct"][index] = before
        self.head["roots"] = list(values)

    def _is_first_all_of(self, anchor: anchoring.Anchor, before: int) -> bool:
        """Whether the first buffer since *before* is all of an array's, or a tensor's, memory."""
        count = len(self.writer.buffers) - before
        if anchor.kind == "array":
            return count == 1 and views.is_raw(anchor.thing)
        is_there = anchor.kind == "tensor" and count > 0
        size = self.writer.buffers[before].view.nbytes if is_there else -1
        return is_there and tensors.memory_to_fill(anchor.thing, size) is not None

    def result(self, skipped: tuple[Skipped, ...]) -> Encoded:
        """What the pass gave."""
        self.head["splices"] = self.writer.splices
        self.head["blank"] = self.blank
        return Encoded(
            parts=(pack(self.head), *self.writer.parts),
            buffers=tuple(self.writer.buffers),
            sizes=self.sizes,
            skipped=skipped,
            has_sets=self.session.has_sets,
            unordered_sets=self.session.unordered,
            without_graph=tuple(self.without_graph),
            graph=sharing.Graph(
                sharing.Memo(self.press.pickler, self.writer),
                self.ends,
                self.anchors,
                self.session.made,
                self.session.own,
            ),
            give_back=functools.partial(self.spare.take_back, self.press, self.writer.size),
        )

    def _cuts(
        self,
        values: Mapping[str, Any],
        levels: Mapping[str, int],
        taken: set[int],
        found: list[anchoring.Anchor],
    ) -> list[anchoring.Anchor]:
        known = taken | {id(anchor.thing) for anchor in found}
        pieces: list[anchoring.Anchor] = []
        for name, level in levels.items():
            if name not in values:  # given up by now
                continue
            steps = deep.LEVELS[level - 1]
            pieces += deep.cuts(name, values[name], self.session.again(), known, steps)
            known |= {id(piece.thing) for piece in pieces}
        return pieces

    def _blueprints(self) -> None:
        # A pickle of its own, for a decode that has no living object: no memo is shared with it,
        # since the prologue of the stream already needs the blanks. A plan is a load of its own,
        # so that a class that is gone is told with the variable that needs it.
        places = {id(anchor.thing): index for index, anchor in enumerate(self.anchors)}
        out = io.BytesIO()
        pickler = plain_pickler(self.session.again(), out)
        for anchor in self.anchors:
            try:
                pickler.dump(inside.blueprint(anchor, self.session, places))
            except MemoryError:
                raise
            except Exception as why:  # noqa: BLE001 - the user's code runs here
                self._fail(anchor.root, anchor.path, anchor.thing, why)
        self.blank = out.getvalue()

    def _dump_contents(self, anchor: anchoring.Anchor) -> None:
        try:
            content = inside.contents(anchor, self.session)
            is_flat = self.with_sets and inside.is_flat(anchor.kind, content)
        except MemoryError:
            raise
        except Exception as why:  # noqa: BLE001 - the user's code runs here
            self._fail(anchor.root, anchor.path, anchor.thing, why)
            return
        dump = self.press.dump_without_sets if is_flat else self.press.pickler.dump
        self._dump(anchor.root, anchor.path, content, anchor.thing, dump)

    def _dump(
        self, name: str, path: str, value: Any, shown: Any, dump: Callable[[Any], None]
    ) -> None:
        writer = self.writer
        writer.name = name
        before = writer.size + writer.outside
        wrapped = (value,)
        try:
            dump(wrapped)
        except MemoryError:
            raise
        except Exception as why:  # noqa: BLE001 - the user's code runs here
            self._fail(name, path, shown, why)
            return
        self.ends.append((wrapped, name))
        if self.session.lost_graph:
            self.session.lost_graph = False
            self.without_graph[name] = None
        size = writer.size + writer.outside - before
        self.sizes[name] = self.sizes.get(name, 0) + size

    def _fail(self, name: str, path: str, thing: Any, why: Exception) -> None:
        if name not in self.failed:
            found = culprits.find(thing, path, why, self.session)
            remedy = found.remedy or EXCLUDE.format(name=name)
            self.failed[name] = Skipped(name, found.path, found.type, found.why, remedy)


def _hidden() -> list[anchoring.Anchor]:
    """What no graph may hold by value: the namespaces of the interpreter itself."""
    main = sys.modules.get("__main__")
    spaces = {"builtins": vars(builtins), "modules": sys.modules}
    if main is not None:
        spaces["main"] = vars(main)
    return [anchoring.Anchor(space, name, (), name, "given") for name, space in spaces.items()]
