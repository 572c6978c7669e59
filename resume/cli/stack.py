"""The saved stack of a program, as a traceback would show it, with what its functions held."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from resume.cli.shown import clean

_MOST_VARIABLES = 4
"""Of each function: the first ones; the table of variables has them all."""


def stack_lines(record: Mapping[str, Any]) -> list[str]:
    """Return the lines to print, outermost function first; none where no stack was saved."""
    program = record["position"].get("program")
    if not program:
        return []
    previews = {row["name"]: row["preview"] for row in record["variables"]}
    frames = list(program["layout"]["frames"])
    found: list[str] = []
    for entry in program["stack"]:
        held = {}
        if frames and _is_same(frames[0], entry):
            held = frames.pop(0)["values"]
        found += _lines(entry, held, previews, record)
    return found


def _is_same(frame: Mapping[str, Any], entry: Mapping[str, Any]) -> bool:
    return all(
        frame.get(one) == entry.get(other)
        for one, other in (("module", "module"), ("qualname", "function"), ("line", "line"))
    )


def _lines(
    entry: Mapping[str, Any],
    held: Mapping[str, str],
    previews: Mapping[str, str],
    record: Mapping[str, Any],
) -> Iterator[str]:
    source = record["code"].get("modules", {}).get(entry["module"], {})
    file = source.get("file") or entry["module"]
    yield clean(f'File "{PurePath(file).name}", line {entry["line"]}, in {entry["function"]}')
    text = (source.get("source") or "").splitlines()[entry["line"] - source.get("first", 1) :]
    if text:
        yield f"  {clean(text[0].strip())}"
    shown = [f"{name} = {previews[root]}" for name, root in held.items() if previews.get(root)]
    for line in shown[:_MOST_VARIABLES]:
        yield f"    {clean(line)}"
