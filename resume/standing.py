"""A program as it stands: alive, for a save, and saved, for a run that goes on from there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from resume.position import Position
from resume.reentry.roots import ProgramState
from resume.reentry.walking import Stack
from resume.snapshot import Scene
from resume.tracked import OutputMark
from resume.types import Content, Manifest, Skipped


class ProgramScenes:
    """The program as it stands: all of it, and again without what could not be saved."""

    door = "stack"
    """Of the position: what kind of program it is."""

    def __init__(
        self,
        state: ProgramState,
        stack: Stack,
        output: Iterable[OutputMark] = (),
        epoch: int | None = None,
    ) -> None:
        self._state, self._stack = state, stack
        self._output = output
        self.epoch = epoch
        """Of the files, which begins with this save; None: they are not kept."""
        self._taken = state.take(stack.frames, stack.running)

    def without(self, skipped: Sequence[Skipped]) -> None:
        """Leave those out; raises `UnpicklableError` where one of them is needed."""
        frames, running = self._stack.frames, self._stack.running
        self._taken = self._state.without(self._taken, skipped, frames, running)

    def scene(self) -> Scene:
        """What is to be captured."""
        return Scene(names=self._taken.roots, look=self._taken.look)

    def position(self) -> Position:
        """Where the program stands."""
        frames = self._stack.every
        program = {
            "layout": self._taken.layout,
            "output": [mark.to_json() for mark in self._output],
            "epoch": self.epoch,
            "stack": [
                {"module": one.module, "function": one.qualname, "line": one.line} for one in frames
            ],
        }
        return Position(door=self.door, line=frames[-1].line, program=program)


@dataclass(frozen=True, slots=True)
class Generation:
    """A saved state that a run goes on from."""

    manifest: Manifest
    content: Content

    @property
    def layout(self) -> Mapping[str, Any]:
        """Where the program stood, and which variable is which part of the state."""
        return self.manifest.draft.position["program"]["layout"]  # type: ignore[no-any-return]

    @property
    def output(self) -> tuple[OutputMark, ...]:
        """How far standard output was."""
        marks = self.manifest.draft.position["program"]["output"]
        return tuple(map(OutputMark.from_json, marks))

    @property
    def epoch(self) -> int | None:
        """To which files are put back; None: they are not."""
        return epoch_of(self.manifest)


def epoch_of(manifest: Manifest) -> int | None:
    """The epoch of files that began with a generation, where one did."""
    return manifest.draft.position.get("program", {}).get("epoch")  # type: ignore[no-any-return]
