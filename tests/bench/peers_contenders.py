"""The peers: how each saves one value and gets it back, written as its own manual shows it.

A contender is asked for five things: `hold` a state while the trial runs, `save` (what the main
thread waits for), `settle` (until it has written all), `save_durably`, and `restore`. Where its
format cannot hold a state it raises `CannotHoldError`, and the table says "no".

What each is given, so that none is worse off than it has to be: protocol 5 wherever the protocol
can be chosen (not in the old way, which is protocol 2 by its nature); a new file for each save, for
overwriting the only good one is no way to save; the older files are removed outside the timing.
"""

from __future__ import annotations

import gzip
import os
import pickle
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from peers_memory import private_bytes
from peers_states import State

KEPT = 2


class CannotHoldError(Exception):
    """The contender has no way to save this kind of state."""


class Contender:
    """Saves one value, each time to a file or folder of its own in one folder."""

    name = ""
    needs: tuple[str, ...] = ()
    """Modules to import before anything is measured."""
    syncs_itself = False
    """Its save is durable once it has settled: fsync is its own matter."""
    goes_on = False
    """It may still be writing when `save` returns: pause and time to durable are two saves."""
    shrink = 1
    """For who is known to be slow: so many times smaller states to begin with."""
    needs_template = False
    """It can only restore into a state of the same shape, made before."""

    def __init__(self) -> None:
        self.folder = Path()
        self.value: Any = None
        self.number = 0
        self.size_bytes = 0
        """About how large the state is: for who wants to be told before."""

    def missing(self) -> str | None:
        """Why it cannot take part on this machine, None where it can."""
        tops = [library.partition(".")[0] for library in self.needs]
        absent = [library for library in tops if find_spec(library) is None]
        return f"{absent[0]} is not installed" if absent else None

    def shrink_for(self, kind: type[State]) -> int:
        """So many times smaller should the state be for a turn to end in time."""
        return self.shrink if kind.is_sized else 1

    def hold(self, value: Any, folder: Path, act: Callable[[], None]) -> None:
        """Call *act* while *value* is the state, and its saves go to *folder*."""
        self.value, self.folder, self.number = value, folder, 0
        act()
        self.close()
        self.value = None

    def close(self) -> None:
        """Let go of what is open."""

    def save(self) -> None:
        """What holds the main thread up."""
        self.number += 1
        self.write(self.value, self.folder / f"save-{self.number:06d}")

    def settle(self) -> None:
        """Wait until everything is written."""

    def is_writing(self) -> bool:
        """Whether the last save still goes on behind the main thread."""
        return False

    def save_durably(self) -> None:
        """Save and wait until everything is written."""
        self.save()
        self.settle()

    def prune(self) -> None:
        """Remove all but the newest saves, as our library does by itself."""
        for path in sorted(self.folder.glob("save-*"))[:-KEPT]:
            _remove(path)

    def helper_bytes(self) -> int:
        """Memory that other processes needed for the last save."""
        return 0

    def restore(self, folder: Path, template: Any) -> Any:
        """The value of the newest save in *folder*."""
        return self.read(max(folder.glob("save-*")), template)

    def write(self, value: Any, path: Path) -> None:
        raise NotImplementedError

    def read(self, path: Path, template: Any) -> Any:
        raise NotImplementedError


class Pickle(Contender):
    """`pickle.dump(protocol=5)` to a new file: what everything is measured by."""

    name = "pickle"

    def write(self, value: Any, path: Path) -> None:
        with open(path, "wb") as out:
            pickle.dump(value, out, protocol=5)

    def read(self, path: Path, template: Any) -> Any:
        with open(path, "rb") as source:
            return pickle.load(source)


class PickleSynced(Pickle):
    """The same, and its call returns when the disk has it."""

    name = "pickle+fsync"
    syncs_itself = True

    def write(self, value: Any, path: Path) -> None:
        with open(path, "wb") as out:
            pickle.dump(value, out, protocol=5)
            out.flush()
            os.fsync(out.fileno())
        sync_path(path.parent)


class ForkAndPickle(Pickle):
    """A child by fork pickles the state as it was, while the parent goes on."""

    name = "fork+pickle"
    syncs_itself = True
    goes_on = True

    def __init__(self) -> None:
        super().__init__()
        self.child = 0
        self.child_bytes = 0

    def missing(self) -> str | None:
        return None if hasattr(os, "fork") else "no fork here"

    def save(self) -> None:
        self.number += 1
        path = self.folder / f"save-{self.number:06d}"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # 3.12 on: a fork beside threads
            self.child = os.fork()
        if self.child == 0:
            self._write_and_die(path)

    def _write_and_die(self, path: Path) -> None:
        status = 1
        try:
            PickleSynced().write(self.value, path)
            path.with_name(f".cost-{path.name}").write_text(str(private_bytes()))
            status = 0
        finally:
            os._exit(status)

    def is_writing(self) -> bool:
        return os.waitid(os.P_PID, self.child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    def settle(self) -> None:
        _, status = os.waitpid(self.child, 0)
        if status:
            raise OSError(f"the child ended with status {status}")
        cost = self.folder / f".cost-save-{self.number:06d}"
        self.child_bytes = int(cost.read_text())
        cost.unlink()

    def helper_bytes(self) -> int:
        return self.child_bytes


class OldWay(Pickle):
    """gzip at level 9 over pickle protocol 2: what `resume` 0.13 and many scripts do."""

    name = "gzip -9, protocol 2"
    shrink = 64

    def write(self, value: Any, path: Path) -> None:
        with gzip.open(path, "wb", compresslevel=9) as out:
            pickle.dump(value, out, protocol=2)

    def read(self, path: Path, template: Any) -> Any:
        with gzip.open(path, "rb") as source:
            return pickle.load(source)


def sync_path(path: Path) -> None:
    """Wait until the disk has this file, or the names in this folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Wait until the disk has everything below *folder*."""
    for root, _, files in os.walk(folder):
        for name in files:
            sync_path(Path(root, name))
        sync_path(Path(root))


def _remove(path: Path) -> None:
    if path.is_dir():
        for inner in path.iterdir():
            _remove(inner)
        path.rmdir()
    else:
        path.unlink()


PICKLES: tuple[type[Contender], ...] = (Pickle, PickleSynced, ForkAndPickle, OldWay)
