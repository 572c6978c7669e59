"""`resume sweep`: sweeps, their results and failures; and making items pending again.

A sweep is named as it was in the program, or by the path of its log, of the folder that this lies
in or of the file that it lies beside. A `snapshot_dir` is a folder of sweeps like that of
checkpoints. Results that are pickles are not looked into.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from resume.cli.places import checkpoints_folder, folder_option
from resume.cli.shown import (
    age,
    clean,
    json_option,
    one_line,
    print_fields,
    print_json,
    print_table,
    print_title,
    size,
)
from resume.errors import ConfigError, ResumeError
from resume.store import encode_name
from resume.sweep.log import LOG_NAME
from resume.sweep.sheet import Row, Sheet

_SHOWN_FAILURES = 20


@click.group(short_help="Sweeps: list, show, export, try again.")
def sweep() -> None:
    """Look at sweeps, export their results, and make items pending again."""


@sweep.command(short_help="List the sweeps of the folder.")
@folder_option
@json_option
def ls(folder: Path | None, as_json: bool) -> None:  # noqa: FBT001 - click's options
    """List the sweeps in the folder of checkpoints, and those beside files of this folder.

    JSON: a list of objects with name, path, items, done, failed, set_aside, pending, size_bytes,
    last_at (seconds since the epoch), problem (a text, where it cannot be read).
    """
    place = checkpoints_folder(folder)
    rows = [_summary(path) for path in _logs(place)]
    if as_json:
        print_json(rows)
    elif rows:
        print_table(
            ("NAME", ">DONE", ">FAILED", ">PENDING", "LAST", ">SIZE", "LOG"),
            [_summary_shown(row) for row in rows],
        )
    else:
        click.echo(f"no sweeps in {place} and {Path.cwd()}")


@sweep.command(short_help="Counts, failures and results of one sweep.")
@click.argument("name")
@click.option("-n", "--results", "count", default=10, help="How many results (default: 10).")
@folder_option
@json_option
def show(name: str, count: int, folder: Path | None, as_json: bool) -> None:  # noqa: FBT001
    """Show counts, rate, failures with their tracebacks, and the last results.

    JSON: an object with the fields of `resume sweep ls`, rate_per_s, results and failures (lists
    of the lines of the log).
    """
    path = _find(checkpoints_folder(folder), name)
    sheet = Sheet(path).read()
    summary = _summary(path) | {"rate_per_s": sheet.rate_per_s}
    if as_json:
        listed = {"results": [row.fields for row in sheet.results()]}
        listed |= {"failures": [row.fields for row in sheet.failures()]}
        print_json(summary | listed)
        return
    rate = sheet.rate_per_s
    print_fields(
        [
            ("name", summary["name"]),
            ("log", path),
            ("items", summary["items"]),
            ("done", f"{summary['done']}"),
            ("failed", summary["failed"] or None),
            ("set aside", summary["set_aside"] or None),
            ("pending", summary["pending"] or None),
            ("rate", f"{rate:.3g} per second" if rate else None),
            ("last", age(summary["last_at"]) if summary["last_at"] else None),
            ("size", size(summary["size_bytes"])),
        ]
    )
    _show_failures(list(sheet.failures()))
    results = list(sheet.results())[-count:] if count > 0 else []
    if results:
        print_title(f"the last {len(results)} results")
        print_table(
            ("ITEM", "RESULT", ">SECONDS"),
            [(row.key, row.shown, _seconds(row)) for row in results],
        )


def _show_failures(failures: Sequence[Row]) -> None:
    if not failures:
        return
    print_title(f"{len(failures)} failures")
    print_table(("ITEM", "WHY"), [(row.key, row.shown) for row in failures[:_SHOWN_FAILURES]])
    trace = failures[-1].fields.get("error", {}).get("traceback", "")
    if trace:
        print_title(f"the last one, {failures[-1].key}")
        for line in trace.rstrip().splitlines():
            click.echo(clean(line))


@sweep.command(short_help="Make failed items pending again.")
@click.argument("name")
@click.argument("keys", nargs=-1)
@folder_option
def retry(name: str, keys: tuple[str, ...], folder: Path | None) -> None:
    """Make items pending again: those that failed or were set aside, or the items KEYS.

    A result that one of KEYS has does not count any more; the log keeps it.
    """
    path = _find(checkpoints_folder(folder), name)
    count = Sheet(path).read().retry(keys)
    told = f"{count} items of {Sheet.name_of(path)} are pending again"
    click.echo(told if count else "nothing has failed")


@sweep.command(short_help="Write the results as csv, json or parquet.")
@click.argument("name")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="A file instead of stdout.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "json", "parquet"]),
    help="By default, what the name of the file says, else csv.",
)
@folder_option
def export(name: str, output: Path | None, form: str | None, folder: Path | None) -> None:
    """Write one row for each result: key, seconds, at, and the result.

    A result that is a dict has a column for each of its keys. Results that are pickles are left
    out, and counted on stderr: read those with ResumableSweep(...).completed.
    """
    path = _find(checkpoints_folder(folder), name)
    form = form or _form_of(output)
    rows = list(Sheet(path).read().results())
    told = [row for row in rows if row.is_readable]
    if len(told) < len(rows):
        click.echo(
            f"{len(rows) - len(told)} of {len(rows)} results are pickles, and are left out: read "
            "them with ResumableSweep(...).completed",
            err=True,
        )
    table = [row.columns() for row in told]
    if form == "parquet":
        _write_parquet(table, output)
    else:
        text = json.dumps(table, indent=1) + "\n" if form == "json" else _csv(table)
        _write(text, output)


def _form_of(output: Path | None) -> str:
    found = output.suffix.removeprefix(".") if output is not None else ""
    return found if found in ("json", "parquet") else "csv"


def _csv(table: Sequence[dict[str, Any]]) -> str:
    columns = list(dict.fromkeys(name for row in table for name in row))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns or ["key", "seconds", "at"])
    for row in table:
        writer.writerow([one_line(row.get(name)) for name in columns])
    return out.getvalue()


def _write(text: str, output: Path | None) -> None:
    if output is None:
        sys.stdout.write(text)
    else:
        output.write_text(text, encoding="utf-8")


def _write_parquet(table: Sequence[dict[str, Any]], output: Path | None) -> None:
    if output is None:
        raise ConfigError("parquet is no text: give a file with --output results.parquet")
    try:
        import pandas as pd  # noqa: PLC0415 - heavy, and only for this

        pd.DataFrame(list(table)).to_parquet(output)
    except ImportError as why:
        raise ConfigError(
            f"parquet needs pandas and pyarrow ({why}): pip install pandas pyarrow"
        ) from why


# --- finding --------------------------------------------------------------------------------------


def _logs(place: Path) -> Iterator[Path]:
    yield from sorted(place.glob(f"*/{LOG_NAME}"))
    yield from sorted(Path.cwd().glob(f"*.{LOG_NAME}"))


def _find(place: Path, name: str) -> Path:
    """The log of the sweep *name*.

    Raises:
        ConfigError: There is none; the text says where was looked, and what there is.
    """
    given = Path(name)
    beside = given.with_name(f"{given.name}.{LOG_NAME}")
    for path in (place / encode_name(name) / LOG_NAME, beside, given, given / LOG_NAME):
        if path.is_file():
            return path.absolute()
    known = [Sheet.name_of(path) for path in _logs(place)]
    raise ConfigError(
        f"no sweep {name!r} in {place}, and none beside a file of that name. There are: "
        f"{', '.join(known) or 'none'}"
    )


def _summary(path: Path) -> dict[str, Any]:
    row: dict[str, Any] = {"name": Sheet.name_of(path), "path": str(path)}
    row |= dict.fromkeys(("items", "done", "failed", "set_aside", "pending", "last_at"))
    row |= {"size_bytes": Sheet.size_of(path), "problem": None}
    try:
        sheet = Sheet(path).read()
    except ResumeError as why:
        return row | {"problem": str(why)}
    return row | sheet.counts() | {"last_at": sheet.last_at}


def _summary_shown(row: dict[str, Any]) -> tuple[object, ...]:
    if row["problem"]:
        return (row["name"], "damaged", "", "", "", size(row["size_bytes"]), row["path"])
    return (
        row["name"],
        f"{row['done']}/{row['items']}",
        row["failed"] + row["set_aside"],
        row["pending"],
        age(row["last_at"]) if row["last_at"] else "",
        size(row["size_bytes"]),
        row["path"],
    )


def _seconds(row: Row) -> str:
    took = row.fields.get("seconds")
    return "" if took is None else f"{took:.3g}"
