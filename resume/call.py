"""The call that a state belongs to: its simple arguments at entry, and names made of them."""

from __future__ import annotations

import hashlib
import os
import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from inspect import CO_VARARGS, CO_VARKEYWORDS
from types import CodeType
from typing import Any

from resume.errors import ConfigError
from resume.item import Item, current

SECRET = re.compile(r"token|key|passw|secret|credential", re.IGNORECASE)
_ATOMS = (type(None), bool, int, float, complex, str, bytes)


@dataclass(frozen=True, slots=True)
class Call:
    """What tells one call of a function from another."""

    shown: dict[str, str] = field(default_factory=dict)
    """Simple arguments as text, secrets masked."""
    digest: str = ""
    """Hex digest of the simple arguments, values and types."""

    def to_json(self) -> dict[str, Any]:
        """The form that the manifest keeps."""
        return {"arguments": dict(self.shown), "digest": self.digest}


def is_simple(value: object) -> bool:
    """Whether *value* is None, bool, int, float, complex, str, bytes, or a tuple of these."""
    if type(value) is tuple:
        return all(is_simple(item) for item in value)
    return type(value) in _ATOMS


def argument_values(code: CodeType, names: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments among a frame's *names*, `**kwargs` taken apart into its items."""
    count = code.co_argcount + code.co_kwonlyargcount
    stars = bool(code.co_flags & CO_VARARGS) + bool(code.co_flags & CO_VARKEYWORDS)
    wanted = code.co_varnames[: count + stars]
    values = {name: names[name] for name in wanted if name in names}
    if code.co_flags & CO_VARKEYWORDS and wanted and wanted[-1] in values:
        extra = values.pop(wanted[-1])
        values.update({f"{wanted[-1]}[{key!r}]": item for key, item in extra.items()})
    return values


def record_call(values: Mapping[str, Any]) -> Call:
    """The call with these arguments; those that are not simple do not count."""
    simple = {name: value for name, value in values.items() if is_simple(value)}
    text = repr(sorted((name, repr(value)) for name, value in simple.items()))
    shown = {
        name: "***" if SECRET.search(name) else _short(value) for name, value in simple.items()
    }
    return Call(shown, hashlib.sha256(text.encode()).hexdigest()[:16])


def _short(value: object, limit: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def fill_name(template: str, function: str, arguments: Mapping[str, Any]) -> str:
    """*template* with `{function}`, argument names, `{rank}`, `{date}`, `{env:VAR}` filled in.

    While a sweep works on an item, `{key}` is the item's key, unless it is an argument's name.

    Raises:
        ConfigError: An unknown field, an argument that is not simple, an unset variable.
    """
    if not isinstance(template, str):
        raise ConfigError(f"name={template!r} is no text: give a name, as in Checkpoint('train')")
    parts: list[str] = []
    try:
        fields = list(string.Formatter().parse(template))
    except ValueError as why:
        raise ConfigError(f"name={template!r} is no template: {why}") from why
    for text, name, spec, conversion in fields:
        parts.append(text)
        if name is None:
            continue
        if name == "env" and spec:
            parts.append(_environment(spec, template))
            continue
        value = _field(name, template, function, arguments)
        shown = repr(value) if conversion == "r" else value
        try:
            parts.append(format(shown, spec or ""))
        except (TypeError, ValueError) as why:
            field_text = f"{{{name}:{spec}}}"
            raise ConfigError(f"name={template!r}: {field_text} does not fit: {why}") from why
    filled = "".join(parts)
    if not filled:
        raise ConfigError(f"name={template!r} gives an empty name")
    return filled


def item_of(template: str | None, arguments: Mapping[str, Any]) -> Item | None:
    """The item of a sweep whose key is part of the name, if it is."""
    fields = () if template is None else string.Formatter().parse(template)
    found = (_item(name, arguments) for _, name, _, _ in fields)
    return next((item for item in found if item is not None), None)


def _item(name: str | None, arguments: Mapping[str, Any]) -> Item | None:
    """The item whose key the field means; an argument of that name goes before it."""
    if name != "key" or (name in arguments and is_simple(arguments[name])):
        return None
    return current()


def _environment(variable: str, template: str) -> str:
    if variable not in os.environ:
        raise ConfigError(f"name={template!r} needs the environment variable {variable}: not set")
    return os.environ[variable]


def _field(name: str, template: str, function: str, arguments: Mapping[str, Any]) -> Any:
    fixed = {
        "function": function,
        "rank": rank(),
        "date": f"{datetime.now().astimezone():%Y-%m-%d}",
    }
    if name in fixed:
        return fixed[name]
    item = _item(name, arguments)
    if item is not None:
        return item.key
    if name not in arguments or not is_simple(arguments[name]):
        usable = sorted([*fixed, "env:VAR", *(k for k, v in arguments.items() if is_simple(v))])
        why = "is no simple value" if name in arguments else "is unknown here"
        if name == "key" and name not in arguments:
            why = "is unknown where no ResumableSweep.map works on an item"
        raise ConfigError(f"name={template!r}: {{{name}}} {why}; usable: {', '.join(usable)}")
    return arguments[name]


def rank(environment: Mapping[str, str] | None = None) -> int:
    """This process's rank in a distributed job, 0 where there is none (torchrun, MPI, SLURM)."""
    environment = os.environ if environment is None else environment
    for variable in ("RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK"):
        if environment.get(variable, "").isdigit():
            return int(environment[variable])
    # SLURM sets SLURM_PROCID=0 in the batch script too: it counts only where several tasks run
    if (
        environment.get("SLURM_NTASKS", "1") != "1"
        and environment.get("SLURM_PROCID", "").isdigit()
    ):
        return int(environment["SLURM_PROCID"])
    return 0


def show_call(name: str, arguments: Mapping[str, str] | Sequence[tuple[str, str]]) -> str:
    """`train(fold=1)`: how a line of its own is shown; *name* is `train@3f2a91c0`."""
    items = arguments.items() if isinstance(arguments, Mapping) else arguments
    return f"{name.partition('@')[0]}({', '.join(f'{key}={value}' for key, value in items)})"
