"""`resume save`: have a program that runs save its state, and wait until it is durable."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

import click

from resume.cli.places import checkpoints_folder, folder_option, label, open_store, store_named
from resume.cli.shown import clean, json_option, print_json
from resume.errors import CheckpointBusyError, ConfigError, StoreError
from resume.place import REQUEST_NAME
from resume.store import Store
from resume.triggers.request_file import FAILED
from resume.types import Manifest
from resume.units import parse_seconds

_EVERY_S = 0.1


@click.command(short_help="Have a running program save now.")
@click.argument("name")
@click.option("--wait/--no-wait", default=True, help="Wait for the save (default), or only ask.")
@click.option("--timeout", default="5m", metavar="TIME", help="Wait so long (30, 5m); default: 5m.")
@folder_option
@json_option
def save(name: str, wait: bool, timeout: str, folder: Path | None, as_json: bool) -> None:  # noqa: FBT001 - click's options
    """Ask the program that holds the checkpoint NAME for a save at its next safe point.

    It puts an empty file CHKPT into the folder of the checkpoint; the program takes it away when
    the generation is durable, and goes on.

    JSON: an object with name, shown_as, generation (null with --no-wait), trigger, host, pid,
    waited_s.
    """
    timeout_s = parse_seconds(timeout, "--timeout")
    store = _held_store(checkpoints_folder(folder), name)
    holder = store.holder()
    if holder is None:
        raise ConfigError(
            f"no program has the checkpoint {name!r} in use, so there is nothing to be saved. "
            f"{_newest_told(store)} Nothing was left behind"
        )
    shown = label(store)
    began = time.monotonic()
    before = _highest(store)
    path = store.place / REQUEST_NAME
    _put(path)
    found = _awaited(store, path, before, began + timeout_s, shown) if wait else None
    row = {
        "name": store.name,
        "shown_as": shown,
        "generation": found.number if found else None,
        "trigger": found.draft.trigger if found else None,
        "host": holder["host"],
        "pid": holder["pid"],
        "waited_s": round(time.monotonic() - began, 3) if wait else 0.0,
    }
    if as_json:
        print_json(row)
        return
    who = f"process {row['pid']} on {row['host']}"
    told = f"saved as generation {row['generation']} by {who}" if wait else f"asked {who}"
    click.echo(clean(f"{shown}: {told}"))


def _held_store(folder: Path, name: str) -> Store:
    """As the other commands find it, and also one that is in use and has no generation yet."""
    try:
        return store_named(folder, name)
    except ConfigError as why:
        store = open_store(folder, name)
        if store.holder() is not None:
            return store
        raise ConfigError(
            f"{why}\nA program that has saved nothing yet is asked by an empty file "
            f"{REQUEST_NAME} in its working folder. Nothing was left behind"
        ) from None


def _newest_told(store: Store) -> str:
    highest = _highest(store)
    return f"Its newest generation is {highest}." if highest else "It has none."


def _highest(store: Store) -> int:
    return max((entry.number for entry in store.entries()), default=0)


def _put(path: Path) -> None:
    """Make the request, or touch the one that is there.

    Raises:
        StoreError: It cannot be made.
    """
    try:
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        except FileExistsError:
            _touch(path)
    except OSError as why:
        raise StoreError(
            f"the request {path} cannot be made: {why.strerror}. Nothing was asked for"
        ) from why


def _touch(path: Path) -> None:
    """Ask anew by a file that is there: it may tell why an earlier request has failed."""
    flags = os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    with suppress(FileNotFoundError):  # answered this very moment: the state is of now
        descriptor = os.open(path, flags)
        try:
            os.ftruncate(descriptor, 0)
        finally:
            os.close(descriptor)
        os.utime(path)


def _awaited(store: Store, path: Path, before: int, until: float, shown: str) -> Manifest:
    """Wait for the generation that answers the request.

    Raises:
        StoreError: The save failed, or the program ended before it.
        CheckpointBusyError: It takes longer than is waited for.
    """
    while True:
        is_held = store.holder() is not None  # looked at first: who ends answers before
        if not os.path.lexists(path):
            break
        _raise_failure(path, shown)
        if not is_held:
            path.unlink(missing_ok=True)
            break
        if time.monotonic() > until:
            raise CheckpointBusyError(
                f"{shown} was not saved in time: the program has come to no safe point yet. The "
                f"request stays, and is answered there; to take it back, remove {path}"
            )
        time.sleep(_EVERY_S)
    found = _answer(store, before)
    if found is None:
        raise StoreError(f"{shown} was not saved: the program ended before its next safe point")
    return found


def _answer(store: Store, before: int) -> Manifest | None:
    """Of the generations since, the one that was asked for; else the newest."""
    since = [
        one.manifest for one in store.entries() if one.number > before and one.manifest is not None
    ]
    asked = [one for one in since if one.draft.trigger == "request"]
    return next(iter([*asked, *since]), None)


def _raise_failure(path: Path, shown: str) -> None:
    try:
        with path.open(encoding="utf-8", errors="replace") as told:
            text = told.read(10_000)
    except OSError:  # gone this very moment
        return
    if text.startswith(FAILED):
        raise StoreError(
            f"{shown} was not saved: {text.removeprefix(FAILED).strip()}\n"
            "The program goes on. It tries again in a minute, or when it is asked again"
        )
