"""How the command line shows things: tables for people, JSON for programs.

Text out of a manifest is a stranger's: it is cleaned of control characters before it reaches the
terminal, and is never read as rich's markup.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from resume.units import show_bytes, show_seconds

json_option: Callable[[Any], Any] = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON, for programs."
)

_WIDE = 10_000
"""Columns of an output that is no terminal: nothing is cut in a pipe."""


def clean(text: object) -> str:
    """*text* on one line, with what is not printable (escape sequences) written out."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in str(text)
    )


def console() -> Console:
    """A console for stdout: as wide as the terminal, or endless in a pipe."""
    wide = None if sys.stdout.isatty() else _WIDE
    return Console(width=wide, highlight=False, markup=False, emoji=False)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print *rows* under *columns*; a column whose name starts with `>` is aligned to the right."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        right = column.startswith(">")
        table.add_column(
            column.removeprefix(">"), justify="right" if right else "left", overflow="fold"
        )
    for row in rows:
        table.add_row(*(Text(clean(cell)) for cell in row))
    _print(table)


def print_fields(pairs: Iterable[tuple[str, object]]) -> None:
    """Print one `name  value` a line, without those whose value is None or empty."""
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in pairs:
        if value not in (None, "", [], {}, ()):
            table.add_row(name, Text(clean(value)))
    _print(table)


def _print(table: Table) -> None:
    if sys.stdout.isatty():
        console().print(table)
        return
    # rich fills each line up to the table's width: in a pipe these spaces are noise
    with (out := console()).capture() as captured:
        out.print(table)
    for line in captured.get().splitlines():
        click.echo(line.rstrip())


def print_title(text: str) -> None:
    """A heading between two tables."""
    click.echo()
    click.secho(clean(text), bold=True)


def print_json(value: object) -> None:
    """Print *value* as JSON, one document on stdout."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def age(created_at: float) -> str:
    """`3 min ago`; a time in the future (another machine's clock) says so."""
    seconds = time.time() - created_at
    return f"{show_seconds(seconds)} ago" if seconds > -1 else f"in {show_seconds(-seconds)}"


def size(count: int) -> str:
    """Bytes for a person."""
    return show_bytes(count)


def shape_of(shape: Sequence[int] | None, dtype: str | None) -> str:
    """`(128, 12) float64`, or nothing."""
    if shape is None:
        return dtype or ""
    sides = ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "")
    return f"({sides}) {dtype or ''}".rstrip()


def names_in_short(names: Sequence[str], limit: int = 4) -> str:
    """`epoch, loss, model, +3`."""
    kept = ", ".join(names[:limit])
    return f"{kept}, +{len(names) - limit}" if len(names) > limit else kept


def one_line(value: object) -> str:
    """A piece of a manifest as compact text; what is no JSON container stays as it is."""
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    return "" if value is None else str(value)
