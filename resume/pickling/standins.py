"""Stand-ins: what shows the state of an object whose class cannot be had."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Self


class StandIn:
    """An object whose class could not be imported, or refused its state: what was saved of it."""

    saved_type = ""
    """The class's full name when it was saved."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Make one whatever the class's own arguments are."""
        made = object.__new__(cls)
        made.__dict__["saved_args"] = (args, kwargs) if kwargs else args
        return made

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        parts = state if isinstance(state, tuple) and len(state) == 2 else (state,)
        if all(part is None or isinstance(part, dict) for part in parts):
            for part in parts:
                self.__dict__.update(part or {})
        else:
            self.__dict__["saved_state"] = state

    def append(self, item: Any) -> None:
        """Take an item that a list of the class's own held."""
        self.__dict__.setdefault("saved_items", []).append(item)

    def extend(self, items: Any) -> None:
        """Take items that a list of the class's own held."""
        self.__dict__.setdefault("saved_items", []).extend(items)

    def __setitem__(self, key: Any, value: Any) -> None:
        self.__dict__.setdefault("saved_pairs", {})[key] = value

    def __repr__(self) -> str:
        state = ", ".join(f"{k}={v!r}" for k, v in vars(self).items() if k != "saved_args" or v)
        return f"<stand-in for {self.saved_type}: {state}>"


class StandIns:
    """The stand-in classes of one decode, by name."""

    def __init__(self, replaced: Collection[str]) -> None:
        self.replaced = replaced
        self.made: dict[str, type[StandIn]] = {}

    def find(self, module: str, name: str, ask: Callable[[str, str], Any]) -> Any:
        """What `ask(module, name)` gives, or a stand-in for it."""
        full = f"{module}.{name}"
        if full not in self.replaced:
            try:
                return ask(module, name)
            except (ImportError, AttributeError):
                pass
        if full not in self.made:
            self.made[full] = type(name.rpartition(".")[2], (StandIn,), {"saved_type": full})
        return self.made[full]
