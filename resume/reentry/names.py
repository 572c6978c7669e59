"""Which globals and class attributes of a program are state, and which a rerun defines by itself.

Functions, classes and imports stand in the source: the definitions run again before the state is
put in place. All else that a module's namespace holds is state; so is what a function has besides
its code (defaults, attributes), and what a class was given besides its methods.
"""

from __future__ import annotations

import builtins
import enum
import importlib.util
import sys
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from resume.reentry import caches
from resume.reentry.dispatching import is_dispatching
from resume.reentry.making import look_up
from resume.reentry.program import LoadedModule, Program
from resume.rewrite import Definitions

_INTERPRETERS = frozenset(
    {
        *("__annotate__", "__builtins__", "__cached__", "__conditional_annotations__", "__dict__"),
        *("__doc__", "__file__", "__loader__", "__name__", "__package__", "__path__", "__spec__"),
        "__warningregistry__",
    }
)
_NAMED: tuple[type, ...] = (types.FunctionType, type, caches.KIND)


@dataclass(frozen=True, slots=True)
class ModuleNames:
    """What of one module is state."""

    variables: Mapping[str, Any]
    """Globals that are state."""
    defined: frozenset[str]
    """Globals that are there before the state is decoded."""
    first: tuple[str, ...]
    """Of these, classes that their one assignment makes (`Point = namedtuple(...)`)."""
    gone: tuple[str, ...]
    """What the definitions bind, and the program has deleted."""


@dataclass(frozen=True, slots=True)
class ClassData:
    """What of one class is state."""

    module: str
    qualname: str
    attributes: Mapping[str, Any]


class Names:
    """Tells state from definitions, for one position of each module."""

    def __init__(self, program: Program, positions: Mapping[str, int | None]) -> None:
        self._program = program
        self._found: dict[str, Definitions] = {
            module.name: module.rewritten.defined(positions.get(module.name)) for module in program
        }

    def of_module(self, module: LoadedModule) -> ModuleNames:
        """Part the namespace of a module."""
        known = self._found[module.name]
        space = module.namespace
        first = tuple(name for name in space if self._is_made_first(module, name))
        variables = {
            name: value
            for name, value in space.items()
            if name not in _INTERPRETERS
            and not name.startswith(".")
            and name not in first
            and not self.is_defined_again(module, name, value)
        }
        defined = frozenset({*known.made, *known.types, *known.imported, *first})
        gone = tuple(sorted(name for name in defined if name not in space))
        return ModuleNames(variables, defined, first, gone)

    def is_defined_again(self, module: LoadedModule, name: str, value: Any) -> bool:
        """Whether the definitions of *module* give *name* this very value."""
        known = self._found[module.name]
        if name in known.made:
            return self._comes_by_name(module, name, value)
        if name in known.types:
            home, own = (getattr(value, each, None) for each in ("__module__", "__name__"))
            return (home, own) == (module.name, name)
        if name in known.imported:
            home, attribute = known.imported[name]
            return self._is_imported(_absolute(home, module), attribute, value)
        return any(
            self._is_imported(_absolute(home, module), name, value) for home in known.star_imports
        )

    def bound_again(self, module: LoadedModule) -> frozenset[str]:
        """Names that the definitions of *module* bind."""
        known = self._found[module.name]
        return frozenset({*known.made, *known.types, *known.imported, *known.constants})

    def is_computed(self, module: LoadedModule, name: str) -> bool:
        """Whether a global of *module* holds what no definition gives it."""
        is_plain = name in _INTERPRETERS or name.startswith(".") or name in self.bound_again(module)
        return not is_plain and not self.is_defined_again(module, name, module.namespace[name])

    def _comes_by_name(self, module: LoadedModule, name: str, value: Any) -> bool:
        if not isinstance(value, _NAMED) or getattr(value, "__qualname__", None) != name:
            return False
        if getattr(value, "__module__", None) != module.name:
            return False
        if is_dispatching(value):
            return False  # what was registered with it is state
        if isinstance(value, types.FunctionType) and self._program.find(value.__code__) is not None:
            return value.__closure__ is None  # else it is what a decorator has made of it
        return True

    def _is_imported(self, home: str, attribute: str | None, value: Any) -> bool:
        if attribute is None:
            return sys.modules.get(home) is value
        if home in self._program:
            inner = self._program[home]
            return attribute in inner.namespace and (
                inner.namespace[attribute] is value
                and self.is_defined_again(inner, attribute, value)
            )
        found = getattr(sys.modules.get(home), "__dict__", {})
        is_there = attribute in found and found[attribute] is value
        return is_there or sys.modules.get(f"{home}.{attribute}", self) is value

    def _is_made_first(self, module: LoadedModule, name: str) -> bool:
        """Whether a class is made by a call that can be made again before the state is there."""
        value, known = module.namespace[name], self._found[module.name]
        if not isinstance(value, type) or name in self.bound_again(module):
            return False
        if (value.__module__, value.__qualname__) != (module.name, name):
            return False
        needed = module.rewritten.needs(0, name)
        given = {*known.made, *known.imported, *vars(builtins)}
        return needed is not None and needed <= given

    # -- functions and classes

    def functions(self, module: LoadedModule) -> Iterator[tuple[str, Any]]:
        """Yield the named functions of a module, methods too, that hold more than their code."""
        made = self._found[module.name].made
        for space, prefix in [(module.namespace, ""), *self._class_spaces(module)]:
            for name, value in list(space.items()):
                found = getattr(value, "__func__", value)
                qualname = f"{prefix}{name}"
                if (
                    _holds_more(found)
                    and (found.__module__, found.__qualname__) == (module.name, qualname)
                    and qualname.split(".", maxsplit=1)[0] in made
                    and look_up(module.namespace, qualname) is found
                ):
                    yield qualname, found

    def classes(self, module: LoadedModule) -> Iterator[ClassData]:
        """Yield what the classes of a module hold besides what their bodies define."""
        for space, prefix in self._class_spaces(module):
            data = {
                name: value
                for name, value in space.items()
                if (not _is_special(name) or self._has_cells(value))
                and name != "_abc_impl"
                and not self._is_of_the_body(module, prefix + name, value)
            }
            if data:
                yield ClassData(module.name, prefix.removesuffix("."), data)

    def _is_of_the_body(self, module: LoadedModule, qualname: str, value: Any) -> bool:
        if isinstance(value, (types.FunctionType, type)):
            is_own = (value.__module__, value.__qualname__) == (module.name, qualname)
            is_found = is_own and look_up(module.namespace, qualname) is value
            return is_found and not self._has_cells(value)
        kind = type(value)
        return hasattr(kind, "__get__") and not self._is_own_all_through(kind)

    def _has_cells(self, value: Any) -> bool:
        """Whether it is a function of the program's that a decorator has made over variables."""
        if not isinstance(value, types.FunctionType) or self._program.find(value.__code__) is None:
            return False
        return not set(value.__code__.co_freevars) <= {"__class__"}

    def _is_own_all_through(self, kind: type) -> bool:
        """Whether all classes above are the program's: then its instances can be taken apart."""
        above = kind.__mro__[:-1]
        return all(each.__module__ in self._program for each in above)

    def _class_spaces(self, module: LoadedModule) -> Iterator[tuple[Mapping[str, Any], str]]:
        made = self._found[module.name].made
        waiting = [(name, value) for name, value in module.namespace.items() if name in made]
        while waiting:
            qualname, value = waiting.pop()
            is_own = isinstance(value, type) and (
                (value.__module__, value.__qualname__) == (module.name, qualname)
            )
            if is_own and not issubclass(value, enum.Enum):
                yield vars(value), f"{qualname}."
                waiting += [(f"{qualname}.{name}", inner) for name, inner in vars(value).items()]


def _is_special(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _holds_more(function: Any) -> bool:
    """Whether a function that comes by name has defaults or attributes, or a cache what it did."""
    if isinstance(function, caches.KIND):
        told, inner = function.cache_info(), function.__wrapped__  # type: ignore[attr-defined]
        return bool(told.hits or told.misses or getattr(inner, "__defaults__", None))
    if not isinstance(function, types.FunctionType):
        return False
    has_own = function.__defaults__ or function.__kwdefaults__ or function.__dict__
    return bool(has_own) and set(function.__code__.co_freevars) <= {"__class__"}


def _absolute(home: str, module: LoadedModule) -> str:
    if not home.startswith("."):
        return home
    package = module.namespace.get("__package__") or module.name.rpartition(".")[0]
    try:
        return importlib.util.resolve_name(home, package)
    except ImportError:  # the program has run it, so its package is told in another way
        return home
