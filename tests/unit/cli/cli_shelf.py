"""Real stores for the tests of the command line, filled without the rest of the library."""

from __future__ import annotations

import json
import os
import pickle
from dataclasses import replace
from pathlib import Path

from click.testing import CliRunner, Result

from resume.cli import main
from resume.store import Retention, Store
from resume.types import Buffer, Draft, Manifest, Variable

POSITION = {
    "door": "loop",
    "call": None,
    "line": 12,
    "loops": [{"key": "0", "line": 12, "done": 48, "by_value": True, "item_digest": None}],
    "finished": [[]],
}
DRAFT = Draft(
    trigger="sync",
    elapsed_s=75.0,
    complete=False,
    base=None,
    function="train",
    file="train.py",
    lineno=10,
    code={"fingerprint": "abc"},
    call={"arguments": {"fold": "1"}, "digest": "3f2a91c0"},
    config={"lr": 0.1},
    extra=None,
    position=POSITION,
    variables=(
        Variable("epoch", "int", 5, "47"),
        Variable("weights", "numpy.ndarray", 1 << 17, "[0. 1. …]", (128, 128), "float64"),
        Variable("link", "socket.socket", 0, skipped="a socket belongs to this process"),
    ),
    environment={"host": "here", "pid": 7, "python": "3.11.7"},
)


class Payload:
    """Unpickled, it makes a folder `unpickled`."""

    def __reduce__(self):
        return os.mkdir, ("unpickled",)


PAYLOAD = pickle.dumps(Payload(), protocol=5)


def fill(folder: Path, name: str, *drafts: Draft, keep: int = 9, new_line: bool = False) -> Store:
    """Commit *drafts*, each the child of the one before; every state is a `Payload`."""
    store = Store(folder, name, retention=Retention(keep=keep))
    parent: Manifest | None = None if new_line else store.newest()
    store.lock()
    try:
        for number, draft in enumerate(drafts):
            data = bytes([number]) * (1 << 17)
            buffers = [Buffer("weights", memoryview(bytearray(data)), "<f8")]
            parent = store.commit(draft, PAYLOAD, buffers, parent=parent)
    finally:
        store.unlock()
    return store


def later(**changes: object) -> Draft:
    """`DRAFT` with some fields changed."""
    return replace(DRAFT, **changes)


def resume(*args: object, answer: str | None = None) -> Result:
    """Run the command line in this process."""
    return CliRunner().invoke(main, [str(arg) for arg in args], input=answer)


def resume_json(*args: object, code: int = 0) -> object:
    """What the command prints under `--json`."""
    result = resume(*args, "--json")
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def damage(path: Path, at: int | None = None) -> None:
    """Flip one bit of a file, in its middle or at *at*."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2 if at is None else at] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)
