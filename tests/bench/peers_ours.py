"""This library in the trial: a program whose function owns a `Checkpoint`.

The local variables of `program` *are* the state, so whatever measures stays out of it: the trial
reaches in through `_Now`, a thing of the module.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from peers_contenders import KEPT, Contender

MIB = 1 << 20


class _Now:
    """What `program` is run for at the moment."""

    options: dict[str, Any]
    first: Callable[[], Any]
    act: Callable[[Any, Any], None]


def program() -> None:
    """What a user writes; saving and measuring happen in the call at its end."""
    from resume import Checkpoint

    chp = Checkpoint("bench", rate=0, keep=KEPT, on_save_error="raise", **_Now.options)
    state = _Now.first()
    chp.restore()
    _Now.act(chp, state)


class Resume(Contender):
    """`Checkpoint` as it is when nothing is asked for."""

    name = "resume"
    needs = ("resume.checkpoint",)  # `resume` itself imports it when it is asked for
    syncs_itself = True
    goes_on = True
    asked: dict[str, Any] = {}

    def __init__(self) -> None:
        super().__init__()
        self.chp: Any = None

    def options(self, size_bytes: int) -> dict[str, Any]:
        """The keywords for a state of so many bytes."""
        return dict(self.asked)

    def missing(self) -> str | None:
        from resume import Checkpoint

        known = inspect.signature(Checkpoint.__init__).parameters
        absent = [name for name in self.options(0) if name not in known]
        return f"Checkpoint has no {absent[0]}= yet" if absent else None

    def hold(self, value: Any, folder: Path, act: Callable[[], None]) -> None:
        def hold_on(chp: Any, _state: Any) -> None:
            self.chp = chp
            act()
            self.chp = None

        self.folder = folder
        _Now.options = self.options(self.size_bytes) | {"folder": folder}
        _Now.first = lambda: value
        _Now.act = hold_on
        program()

    def save(self) -> None:
        if not (answer := self.chp.sync()):
            raise RuntimeError(f"the sync saved nothing: {answer.why}")

    def settle(self) -> None:
        self.save_durably()

    def save_durably(self) -> None:
        if not (answer := self.chp.save()):
            raise RuntimeError(f"the save saved nothing: {answer.why}")

    def prune(self) -> None:
        pass  # keep= does

    def restore(self, folder: Path, template: Any) -> Any:
        found = []
        _Now.options = self.options(self.size_bytes) | {"folder": folder}
        _Now.first = lambda: None
        _Now.act = lambda _chp, state: found.append(state)
        program()
        return found[0]


class ResumeForeground(Resume):
    """The same without a writer of its own: the caller waits for everything."""

    name = "resume, foreground"
    asked = {"background": False}


class ResumeUnsynced(Resume):
    """The same without fsync: to compare with what does not sync either."""

    name = "resume, fsync=False"
    syncs_itself = False
    asked = {"fsync": False}


class ResumePool(Resume):
    """With memory for the whole state: the copy is all that the caller waits for."""

    name = "resume, memory holds it"

    def options(self, size_bytes: int) -> dict[str, Any]:
        return {"memory": f"{max(2 * size_bytes // MIB, 256)}MiB"}


OURS: tuple[type[Contender], ...] = (Resume, ResumePool, ResumeForeground, ResumeUnsynced)
