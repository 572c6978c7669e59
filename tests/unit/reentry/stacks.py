"""A program that calls `sync()` is taken apart there, and goes on in another process.

A stand-in for what walks live frames: `sync` must be called directly by the program, and its
frames call each other directly.
"""

from __future__ import annotations

import contextlib
import functools
import json
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pieces import READY, STOP, Piece, load
from suspended import make, making, record_of

from resume.frames import cells_of
from resume.pickling import encode
from resume.reentry.fields import suspension_of
from resume.reentry.given import given_by
from resume.reentry.putting import define, prepare, put_back
from resume.reentry.records import FrameRecord
from resume.reentry.roots import ProgramState, Taken
from resume.rewrite import Entry, Kind
from resume.snapshot import Scene, capture, revive
from resume.types import Content


class Stopped(BaseException):
    """The program ends where it was saved."""


def frames_of(piece: Piece, frame: types.FrameType) -> tuple[list[FrameRecord], dict[int, Any]]:
    """Records of the stack, outermost first, and those of generators by the id of their frame."""
    found: list[FrameRecord] = []
    running: dict[int, FrameRecord] = {}
    entry = Entry.DONE
    current: types.FrameType | None = frame
    while current is not None:
        site = piece.program.find(current.f_code)
        assert site is not None, current
        number = site.table.ids[current.f_lasti // 2]
        code = current.f_code
        cells = cells_of(current, [*code.co_cellvars, *code.co_freevars])
        values = {n: v for n, v in dict(current.f_locals).items() if n not in cells}
        if site.table.block == 0:
            values = {name: v for name, v in values.items() if name.startswith(".")}
        place = site.module.rewritten.places(site.table.block)[number]
        if place.kind is Kind.LOOP:
            entry = Entry.LOOP
        line = place.line
        name = "<module>" if site.table.block == 0 else code.co_qualname
        record = FrameRecord(
            site.module.name,
            site.table.block,
            number,
            entry,
            values,
            cells,
            qualname=name,
            line=line,
        )
        if code.co_flags & 0x20:
            running[id(current)] = record
        else:
            found.insert(0, record)
        if site.table.block == 0:
            return found, running
        entry = Entry.CALL
        current = current.f_back
    raise AssertionError("no module below")


def settled(state: ProgramState, frames: list[FrameRecord], running: dict[int, Any]) -> Taken:
    """Take what can be saved, as often as something new proves unsavable."""
    taken = state.take(frames, running)
    while skipped := encode(taken.roots, look=taken.look).skipped:
        taken = state.without(taken, skipped, frames, running)
    return taken


def run_to_stop(source: str, *, at: int = 1, also: dict[str, str] | None = None) -> Saved:
    """Run the program until its call number *at* of `sync`, and save it there."""
    saved: list[Saved] = []
    calls = []
    piece = Piece(load_also(also), types.ModuleType("none"))

    def stop() -> None:
        calls.append(1)
        if len(calls) < at:
            return
        inside = Piece(piece.program, sys.modules["piece"])
        frames, running = frames_of(inside, sys._getframe(2))
        state = ProgramState(piece.program, functools.partial(record_of, inside))
        saved.append(Saved(source, also or {}, settled(state, frames, running)))
        raise Stopped

    with the_stop(stop), contextlib.suppress(Stopped):
        load(source, into=piece.program)
    return saved[0]


def load_also(also: dict[str, str] | None, *, definitions: int | None = None) -> Any:
    from resume.reentry.program import Program

    program = Program()
    for name, source in (also or {}).items():
        load(source, name, into=program, definitions=definitions)
    return program


@contextlib.contextmanager
def the_stop(stop: Any) -> Iterator[None]:
    """Meanwhile *stop* is what `sync()` does in programs."""
    STOP.append(stop)
    try:
        yield
    finally:
        STOP.pop()


class Saved:
    """The bytes of a program, and the account of them as JSON."""

    def __init__(self, source: str, also: dict[str, str], taken: Taken) -> None:
        self.source, self.also = source, also
        self.taken = taken
        snapshot = capture(Scene(taken.roots, look=taken.look), reducers={})
        encoded = snapshot.encoded
        assert () == encoded.skipped
        self.variables = {variable.name: variable for variable in snapshot.variables}
        self.stream = encoded.stream
        self.buffers = [bytes(buffer.view) for buffer in encoded.buffers]
        self.layout = json.loads(json.dumps(taken.layout))

    def write(self, folder: Path) -> None:
        what = [self.source, self.also, self.layout, len(self.buffers)]
        (folder / "layout.json").write_text(json.dumps(what))
        (folder / "stream").write_bytes(self.stream)
        for number, buffer in enumerate(self.buffers):
            (folder / f"buffer-{number}").write_bytes(buffer)


def go_on(saved: Saved) -> dict[str, Any]:
    """Run the rest of the program; `stop` does nothing now. Returns its names."""
    for name in [name for name in sys.modules if name.partition("_")[0] == "piece"]:
        del sys.modules[name]
    prepare(saved.layout)
    program = load_also(saved.also, definitions=10_000_000)
    piece = load("", into=program)
    buffers = [memoryview(bytearray(buffer)) for buffer in saved.buffers]
    content = Content(saved.stream, buffers)
    given = given_by(program, content)
    for name in saved.also:
        define(program, name, saved.layout, given)
    piece = load(saved.source, into=program, definitions=-2)
    define(program, "piece", saved.layout, given)
    given.end()
    maker = making(piece)
    found = revive(content, loops=0, live={}, own={"program": maker})
    values = {**found.names, **found.hidden}
    frames = put_back(program, saved.layout, values, maker)
    READY[:] = [functools.partial(call, piece, record) for record in frames[1:]]
    first = frames[0]
    with the_stop(lambda: None):
        exec(piece.rewritten.residual(0, suspension_of(first)), piece.names)
    return piece.names


def call(piece: Piece, record: FrameRecord) -> Any:
    return make(piece, record)


def read(folder: Path) -> Saved:
    """What another process wrote."""
    saved = Saved.__new__(Saved)
    text = (folder / "layout.json").read_text()
    saved.source, saved.also, saved.layout, count = json.loads(text)
    saved.stream = (folder / "stream").read_bytes()
    saved.buffers = [(folder / f"buffer-{number}").read_bytes() for number in range(count)]
    return saved


if __name__ == "__main__":
    print(json.dumps(go_on(read(Path(sys.argv[1])))["result"]))
