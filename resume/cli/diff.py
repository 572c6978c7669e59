"""`resume diff`: what changed between two generations, from their manifests alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from resume.cli.places import checkpoints_folder, folder_option, generation, store_named
from resume.cli.show import position_in_short
from resume.cli.shown import (
    json_option,
    one_line,
    print_json,
    print_table,
    print_title,
    shape_of,
    size,
)
from resume.errors import ConfigError
from resume.types import Manifest, Variable

_PARTS = ("function", "file", "trigger", "complete", "call", "config", "extra", "position")
"""What is compared of a draft besides its variables, environment and code."""


@click.command(short_help="Show what changed between two generations.")
@click.argument("name")
@click.argument("a", type=int, required=False)
@click.argument("b", type=int, required=False)
@folder_option
@json_option
def diff(name: str, a: int | None, b: int | None, folder: Path | None, as_json: bool) -> None:  # noqa: FBT001 - click's options
    """Show what changed from generation A to B of a checkpoint.

    Without B: to the newest. Without both: from the newest one's parent. Values are compared as the
    manifests show them: a change that neither size nor preview shows is not seen.

    JSON: an object with name, from, to, variables (name, change: added, removed or changed; before;
    after) and other (key, before, after).
    """
    store = store_named(checkpoints_folder(folder), name)
    after = generation(store, b)
    if a is None and after.parent is None:
        raise ConfigError(f"generation {after.number} of {name} is the first of its line")
    before = generation(store, after.parent if a is None else a)
    variables, other = list(_variables(before, after)), list(_other(before, after))
    if as_json:
        print_json(
            {
                "name": name,
                "from": before.number,
                "to": after.number,
                "variables": variables,
                "other": other,
            }
        )
        return
    click.echo(f"generation {before.number} -> {after.number}")
    _print(variables, other)


def _print(variables: list[dict[str, Any]], other: list[dict[str, Any]]) -> None:
    if not variables and not other:
        click.echo("no difference that the manifests show")
    if variables:
        print_title("variables")
        rows = [(v["change"], v["name"], _told(v["before"]), _told(v["after"])) for v in variables]
        print_table(("", "NAME", "BEFORE", "AFTER"), rows)
    if other:
        print_title("other")
        rows = [("", o["key"], _in_short(o, "before"), _in_short(o, "after")) for o in other]
        print_table(("", "NAME", "BEFORE", "AFTER"), rows)


def _in_short(change: dict[str, Any], side: str) -> str:
    if change["key"] == "position":
        return position_in_short(change[side])
    return one_line(change[side])


def _variables(before: Manifest, after: Manifest) -> Iterator[dict[str, Any]]:
    old = {variable.name: variable for variable in before.draft.variables}
    new = {variable.name: variable for variable in after.draft.variables}
    for name in dict.fromkeys([*old, *new]):
        was, now = old.get(name), new.get(name)
        if was == now:
            continue
        change = "added" if was is None else "removed" if now is None else "changed"
        yield {
            "name": name,
            "change": change,
            "before": asdict(was) if was else None,
            "after": asdict(now) if now else None,
        }


def _other(before: Manifest, after: Manifest) -> Iterator[dict[str, Any]]:
    old, new = _told_flat(before), _told_flat(after)
    for key in dict.fromkeys([*old, *new]):
        if old.get(key) != new.get(key):
            yield {"key": key, "before": old.get(key), "after": new.get(key)}


def _told_flat(manifest: Manifest) -> dict[str, Any]:
    draft = manifest.draft
    told = {key: getattr(draft, key) for key in _PARTS}
    told["code"] = draft.code.get("fingerprint")
    told["line"] = manifest.line
    return told | _under("environment", draft.environment)


def _under(prefix: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{prefix}.{key}": value for key, value in values.items()}


def _told(variable: dict[str, Any] | None) -> str:
    if variable is None:
        return ""
    shown = Variable(**variable)
    if shown.skipped is not None:
        return f"not saved: {shown.skipped}"
    parts = (shown.preview, shown.type, shape_of(shown.shape, shown.dtype), size(shown.size_bytes))
    return " · ".join(part for part in parts if part)
