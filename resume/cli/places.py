"""From what the user typed to a store: the folder, the checkpoint of a name, its state."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from resume.call import show_call
from resume.errors import ConfigError, IntegrityError, ResumeError, SchemaVersionError, TrustError
from resume.store import Entry, Retention, Store, find_folder, names
from resume.types import Manifest

folder_option: Callable[[Any], Any] = click.option(
    "--folder",
    type=click.Path(path_type=Path),
    help="Folder of checkpoints, instead of the one that is found.",
)


def checkpoints_folder(explicit: Path | None) -> Path:
    """The folder that commands work on; it need not exist."""
    folder, _ = find_folder(explicit)
    return folder


def open_store(folder: Path, name: str) -> Store:
    """A store to look at: only the program knows when its generations expire, so none has here."""
    return Store(folder, name, retention=Retention(expire_s=None))


def every_store(folder: Path) -> Iterator[Store]:
    """A store for each checkpoint of *folder*, by name."""
    if folder.is_dir():
        for name in sorted(names(folder)):
            yield open_store(folder, name)


def store_named(folder: Path, wanted: str) -> Store:
    """The checkpoint *wanted*: its name (`train@3f2a91c0`), or as `ls` shows it (`train(fold=1)`).

    Raises:
        ConfigError: No such checkpoint in *folder*; the text names near ones.
    """
    known = names(folder) if folder.is_dir() else []
    if wanted in known:
        return open_store(folder, wanted)
    labels = {label(open_store(folder, name)): name for name in known}
    if wanted in labels:
        return open_store(folder, labels[wanted])
    raise ConfigError(f"no checkpoint {wanted!r} in {folder}. {_near(wanted, [*known, *labels])}")


def _near(wanted: str, known: Sequence[str]) -> str:
    if not known:
        return "It holds none: run the program first, or name its folder with --folder."
    near = difflib.get_close_matches(wanted, known, n=3, cutoff=0.5)
    if near:
        return f"Did you mean {' or '.join(map(repr, dict.fromkeys(near)))}?"
    return f"It holds: {', '.join(sorted(set(known))[:10])}"


def label(store: Store) -> str:
    """The name as people read it: `train`, or `train(fold=1)` for a call with a line of its own."""
    if "@" not in store.name:
        return store.name
    manifest = next((e.manifest for e in store.entries() if e.manifest is not None), None)
    call = manifest.draft.call if manifest else {}
    arguments, digest = call.get("arguments"), str(call.get("digest"))
    if not isinstance(arguments, dict) or not store.name.endswith(f"@{digest[:8]}"):
        return store.name
    return show_call(store.name, arguments)


def newest(entries: Sequence[Entry]) -> Manifest | None:
    """The newest readable manifest of the live line, or of any line where none is live."""
    readable = [entry for entry in entries if entry.manifest is not None]
    live = [entry for entry in readable if entry.live]
    return (live or readable)[0].manifest if readable else None


_PROBLEMS: tuple[tuple[type[ResumeError], str], ...] = (
    (TrustError, "not trusted"),
    (SchemaVersionError, "other format"),
    (ResumeError, "damaged"),
)


def state_of(store: Store, entries: Sequence[Entry]) -> str:
    """What `ls` says of the newest of *entries*, in one or two words.

    `busy`, `damaged`, `not trusted`, `other format`, `set aside`, `complete` or `interrupted`.
    """
    if store.holder() is not None:
        return "busy"
    if not entries:
        return "empty"
    if entries[0].problem is not None:
        error = entries[0].error
        return next((word for kind, word in _PROBLEMS if isinstance(error, kind)), "damaged")
    if not any(entry.live for entry in entries):
        return "set aside"
    found = newest(entries)
    return "complete" if found is not None and found.draft.complete else "interrupted"


def generation(store: Store, number: int | None) -> Manifest:
    """The manifest of generation *number*, or of the newest.

    Raises:
        ConfigError: There is no such generation; the text lists those there are.
    """
    entries = store.entries()
    if number is None:
        found = newest(entries)
    else:
        found = next((e.manifest for e in entries if e.number == number), None)
    if found is not None:
        return found
    damaged = [e for e in entries if e.problem is not None and number in (None, e.number)]
    if damaged:
        raise damaged[0].error or IntegrityError(f"{store.name}: {damaged[0].problem}")
    there = ", ".join(str(entry.number) for entry in entries) or "none"
    raise ConfigError(f"{store.name} has no generation {number}. There are: {there}")
