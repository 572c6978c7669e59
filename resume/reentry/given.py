"""What definitions read when they run again, before the state itself can be decoded.

Goal: `class A: size = 2 * n` runs again on a resume, where `n` was computed by a statement that
does not. The state holds `n`, but its decode needs the classes.

What does not work: to decode `n` first, out of the one graph. What the class does with it then
(`registry.append(cls)`) would be done a second time to the object that the program goes on with.

What we do: each definition gets copies, from a small graph of its own that is decoded right before
it runs. The state replaces them, and all that a class holds, when it is put back.

What can still go wrong: a name that was bound anew behind the definition has its later value, which
shows in what is no data of a class (a default of a dataclass, a member of an enumeration): the
shapes of these classes are compared, and a resume with another one is refused.
"""

from __future__ import annotations

import builtins
import enum
import importlib
import pickle
import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from resume.errors import RestoreError, UnsupportedCodeError
from resume.pickling import decode, encode, first_root
from resume.pickling.builders import bound
from resume.pickling.functions import find
from resume.pickling.session import Rebuild, Reducer, Session, Unsavable
from resume.reentry import caches, files
from resume.reentry.files import SLOT
from resume.reentry.making import Making, look_up, making_of
from resume.reentry.names import Names
from resume.reentry.program import LoadedModule, Program
from resume.reentry.reducers import Taking
from resume.rewrite import GIVE, Evaluated
from resume.types import Content, Skipped

ROOT = ".given"
_PIECE = 1 << 15
"""Bytes: larger ones would lie outside of the stream."""
_MOST = 1 << 26
"""Bytes of a value that a definition itself reads."""
_MOST_CALLED = 1 << 20
"""Bytes of a value that may be read by what it calls."""

Place: TypeAlias = tuple[str, str]
"""A module, and a global of it."""


@dataclass(frozen=True, slots=True)
class Copies:
    """Values that one definition needs, as bytes."""

    places: tuple[Place, ...]
    stream: bytes
    buffers: tuple[bytes, ...]
    made: str
    """The class that it makes, if any."""
    shape: Any
    """Of that class: `shape_of`."""


class Giving:
    """Finds out, save by save, which values the definitions of a program need."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._called: dict[tuple[str, int], frozenset[Place]] = {}
        self._modules = 0

    def take(
        self, names: Names, positions: Mapping[str, int | None], taking: Taking
    ) -> tuple[bytes, ...]:
        """Return the root that holds the copies, in pieces.

        Raises:
            UnsupportedCodeError: A definition would raise when it runs again.
        """
        modules = list(self._program)
        if len(modules) != self._modules:
            self._called.clear()
            self._modules = len(modules)
        found: dict[tuple[str, int], Copies] = {}
        for module in modules:
            done: set[Place] = set()
            for each in module.rewritten.evaluated(positions.get(module.name)):
                wanted = self._wanted(names, module, each)
                copies = self._copies(module, each, wanted, done, taking, names)
                if copies is not None:
                    found[module.name, each.number] = copies
        if not found:
            return ()
        packed = pickle.dumps(found, 5)
        return tuple(packed[at : at + _PIECE] for at in range(0, len(packed), _PIECE))

    def _wanted(self, names: Names, module: LoadedModule, each: Evaluated) -> dict[Place, bool]:
        """By global: whether the definition needs it."""
        space = module.namespace
        bound = names.bound_again(module)
        for name in sorted(each.needs):
            is_somewhere = name in space or name in bound or hasattr(builtins, name)
            if not is_somewhere and not name.startswith("__"):
                raise _refusal(module, each, name, "that name is gone by now")
        found = {
            (module.name, name): name in each.needs
            for name in sorted(each.reads)
            if name in space
            and (name in each.computed or name not in bound)
            and not names.is_defined_again(module, name, space[name])
        }
        for home, name in sorted(self._called_by(module, each)):
            other = self._program[home]
            if name in other.namespace and names.is_computed(other, name):
                found.setdefault((home, name), False)
        return found

    def _called_by(self, module: LoadedModule, each: Evaluated) -> frozenset[Place]:
        """Globals that functions read which the definition may call."""
        key = module.name, each.number
        if key not in self._called:
            reads: set[Place] = set()
            seen: set[str] = set()
            waiting = set(each.mentions)
            while waiting:
                name = waiting.pop()
                seen.add(name)
                for other in self._program:
                    for called in other.rewritten.functions().get(name, ()):
                        reads |= {(other.name, read) for read in called.names}
                        waiting |= called.mentions - seen
            self._called[key] = frozenset(reads)
        return self._called[key]

    def _copies(
        self,
        module: LoadedModule,
        each: Evaluated,
        wanted: Mapping[Place, bool],
        done: set[Place],
        taking: Taking,
        names: Names,
    ) -> Copies | None:
        kept = [place for place in wanted if place not in done]
        while kept:
            roots = {f"{home}:{name}": self._program[home].namespace[name] for home, name in kept}
            look = _Look(taking)
            encoded = encode(roots, look=look.look)
            failed = {skip.name: _why(skip) for skip in encoded.skipped}
            for root, value in roots.items():
                if isinstance(value, type) and not look.is_found(value):
                    failed[root] = "it is a class that the program has made by a call"
            for root, size in encoded.sizes.items():
                home, _, name = root.rpartition(":")
                if size > (_MOST if wanted[home, name] else _MOST_CALLED):
                    failed[root] = f"{name} is too large for that ({size:,} bytes)"
            for (home, name), is_needed in wanted.items():
                if is_needed and f"{home}:{name}" in failed:
                    raise _refusal(module, each, name, failed[f"{home}:{name}"])
            if not failed:
                bound = names.bound_again(module)  # these may get another value in between
                done.update(place for place in kept if place[1] not in bound)
                buffers = tuple(bytes(buffer.view) for buffer in encoded.buffers)
                stream = encoded.stream
                encoded.forget()
                shape = shape_of(module.namespace.get(each.made))
                return Copies(tuple(kept), stream, buffers, each.made, shape)
            kept = [place for place in kept if ":".join(place) not in failed]
        return None


def _why(skip: Skipped) -> str:
    path = skip.path.rpartition(":")[2]
    return f"{path} (a {skip.type}) cannot be copied: {skip.why}"


def _refusal(module: LoadedModule, each: Evaluated, name: str, why: str) -> UnsupportedCodeError:
    return UnsupportedCodeError(
        f"{each.what} in {module.name} reads {name}, and a resume defines it again: {why}. Nothing "
        f"was written, and the program runs on. Keep {name} as it is, or read it in a function"
    )


class _Look:
    """How the program's own types go into a copy: what has a name by that alone."""

    def __init__(self, taking: Taking) -> None:
        self._taking = taking

    def look(self, kind: type) -> Reducer | None:
        """See `Taking.look`."""
        if kind in _PLACED:
            return _refuse
        if kind in (types.FunctionType, caches.KIND):
            return self._function
        if issubclass(kind, type):
            return self._class
        return self._taking.look(kind)

    def _function(self, session: Session, thing: Any) -> Any:
        if self._taking.comes_by_name(thing):
            return given_name, (thing.__module__, thing.__qualname__)
        found = self._taking.look(type(thing))
        return NotImplemented if found is None else found(session, thing)

    def is_found(self, thing: type) -> bool:
        """Whether a class is found by its name, in the program or in a library."""
        if thing.__module__ in self._taking.program:
            return self._taking.comes_by_name(thing)
        return find(thing.__module__, thing.__qualname__) is thing

    def _class(self, _session: Session, thing: type) -> Any:
        if thing.__module__ not in self._taking.program and self.is_found(thing):
            return NotImplemented
        # one that a call has made is never found, and stands for itself
        place = thing.__module__ if self.is_found(thing) else ""
        return given_name, (place, thing.__qualname__)


@bound
def given_name(rebuild: Rebuild, module: str, qualname: str) -> Any:
    """What the definitions have made under this name so far; a stand-in for what is still to come.

    A registry that a class body writes into may hold that very class by the time of the save, and
    classes that no definition makes.
    """
    program = making_of(rebuild).program
    found = look_up(program[module].namespace, qualname) if module in program else None
    return type(qualname, (), {}) if found is None else found


def _refuse(_session: Session, thing: Any) -> Any:
    raise Unsavable("it stands at some place, which two cannot share", type(thing).__name__)


_PLACED = frozenset({*files.TYPES, types.GeneratorType})


# ---------------------------------------------------------------- a restore


@dataclass(slots=True)
class Given:
    """What a save left for the definitions."""

    program: Program
    copies: Mapping[tuple[str, int], Copies] = field(default_factory=dict)
    """By module and `Evaluated.number`."""

    def begin(self, module: str) -> Mapping[int, Sequence[str]]:
        """Let the definitions of *module* call `GIVE`; tell which of its names they get."""
        own = {number: each for (home, number), each in self.copies.items() if home == module}
        if own:
            self.program[module].namespace[GIVE] = lambda number: self._give(own[number])
        return {
            number: [name for home, name in each.places if home == module]
            for number, each in own.items()
        }

    def end(self) -> None:
        """All definitions have run.

        Raises:
            RestoreError: A class has not become what it was.
        """
        for module in self.program:
            module.namespace.pop(GIVE, None)
        for (home, _), each in self.copies.items():
            if home in self.program:
                made = self.program[home].namespace.get(each.made)
                if shape_of(made) != each.shape:
                    raise _otherwise(home, each)

    def _give(self, copies: Copies) -> None:
        for home, _ in copies.places:
            if home not in self.program:
                importlib.import_module(home)
        making = Making(self.program, _no_generator, _no_generator)
        buffers = [memoryview(bytearray(each)) for each in copies.buffers]
        values = decode(copies.stream, buffers, own={SLOT: making}).values
        for home, name in copies.places:
            self.program[home].namespace[name] = values[f"{home}:{name}"]


def _no_generator(_: Any) -> Any:
    raise AssertionError("no generator is given")  # pragma: no cover - `_refuse` does


def _otherwise(home: str, copies: Copies) -> RestoreError:
    read = ", ".join(name for _, name in copies.places)
    return RestoreError(
        f"the class {copies.made} of {home} comes out otherwise than it was: it reads {read}, "
        "bound anew since then. The saved state is untouched: start anew with --fresh, and give it "
        "names that stay as they are"
    )


def shape_of(made: Any) -> Any:
    """What of a class its definition alone decides, as far as that is plain data."""
    if not isinstance(made, type):
        return None
    held = vars(made)
    shape = {
        "bases": [each.__qualname__ for each in made.__bases__],
        "metaclass": type(made).__qualname__,
        "slots": _plain(held.get("__slots__")),
        "inside": {
            name: shape_of(each)
            for name, each in held.items()
            if isinstance(each, type) and each.__qualname__ == f"{made.__qualname__}.{name}"
        },
    }
    if issubclass(made, enum.Enum):
        shape["members"] = [(name, _plain(each.value)) for name, each in made.__members__.items()]
    if "__dataclass_fields__" in held:
        fields = held["__dataclass_fields__"].values()
        shape["fields"] = [(each.name, _plain(each.default)) for each in fields]
        shape["options"] = repr(held["__dataclass_params__"])
    return shape


def _plain(value: Any) -> Any:
    """The value where it is told by what it looks like, else its type."""
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return repr(value) if type(value) in _ATOMS else type(value).__qualname__


_ATOMS = (int, float, complex, bool, str, bytes, type(None))


def given_by(program: Program, content: Content) -> Given:
    """Read what a save left for the definitions, and nothing else of the state."""
    pieces: Iterable[bytes] = first_root(content.stream, content.buffers, ROOT) or ()
    packed = b"".join(pieces)
    return Given(program, pickle.loads(packed)) if packed else Given(program)
