"""One `restore()`: which generation belongs to the call, whether it fits, what is brought back."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

from resume import notices, registry
from resume.application import Application
from resume.call import Call
from resume.course import Course, Destination
from resume.engine import Engine
from resume.errors import ConfigError, RestoreError
from resume.frames import argument_names
from resume.owner import Owner
from resume.position import Position
from resume.results import Restored
from resume.settings import Settings
from resume.types import Content, Manifest
from resume.validation import check_generation


class Restorable(Protocol):
    """The run, as a restore sees it."""

    due_at: float
    title: str
    owner: Owner
    engine: Engine
    call: Call
    settings: Settings
    course: Course
    values: dict[str, Any]
    passed: dict[str, Any]
    complete: bool
    final: Manifest | None

    def open(self, manifest: Manifest | None) -> None:
        """From now on saves may be made: as children of *manifest*, or in a line of their own."""

    def names(self, frame: FrameType | None) -> Mapping[str, Any]:
        """The state's names as they are now."""

    def application(
        self, manifest: Manifest, names: Mapping[str, Any], kept: tuple[str, ...] = ()
    ) -> Application:
        """What puts *manifest* into the owner."""

    @property
    def call_key(self) -> tuple[str, str]:
        """What tells this call from others of this process."""


class Restoring:
    """The steps of a restore."""

    def __init__(self, run: Restorable, found_above: Path | None) -> None:
        self._run = run
        self._found_above = found_above

    def restore(self, frame: FrameType | None) -> Restored:
        """Bring the newest whole generation of this call back, or open a line of its own."""
        run = self._run
        if run.settings.clean:
            return self._start_anew("clean=True")
        is_same_call = self._choose_line()
        self._refuse_other_objects()
        found = run.engine.read_best()
        if found is None:
            run.open(None)
            return Restored()
        manifest, content = found
        verdict = check_generation(manifest, run.engine.origin, run.settings)
        if verdict.restart:
            return self._start_anew(verdict.restart)
        if manifest.draft.complete and is_same_call:
            return self._restore_complete(manifest, frame, is_same_code=verdict.is_same_code)
        return self._bring_back(
            manifest, content, frame, is_same_call=is_same_call, is_same_code=verdict.is_same_code
        )

    def _choose_line(self) -> bool:
        run = self._run
        is_same_call = run.engine.choose_line(run.call)
        run.title = run.engine.name
        run.engine.lock()
        return is_same_call

    def _refuse_other_objects(self) -> None:
        """Two calls of one process with equal simple arguments: which of them the state is of?"""
        run = self._run
        if not registry.met_other_objects(run.call_key, list(run.passed.values())):
            return
        listed = ", ".join(run.passed)
        raise ConfigError(
            f"{run.owner.title} was called before in this process, with the same simple arguments "
            f"and other objects ({listed}): the state {run.title!r} belongs to that call. Nothing "
            "was changed. Tell the calls apart by a simple argument, or by a name: "
            "Checkpoint(name='{function}-{fold}')"
        )

    def _start_anew(self, why: str) -> Restored:
        run = self._run
        run.engine.lock()
        if run.engine.store.entries():
            notices.say("%s: starting anew (%s); what was there is set aside", run.title, why)
        run.open(None)
        return Restored()

    def _restore_complete(
        self, final: Manifest, frame: FrameType | None, *, is_same_code: bool
    ) -> Restored:
        """Run a finished block again from the last place before its end; then set its final state.

        So its last statements see what they saw, and what it returns or prints is the same again.
        """
        run = self._run
        run.final = final
        run.complete = True
        run.course.is_sealed = True
        base = run.engine.read_base(final)
        if base is None:
            run.open(final)
            notices.say("↻ %s had finished: its result will be the saved one", run.title)
            return self._record(final, ())
        # it may have begun from the names of another call, and then its own arguments stood
        is_same_call = base[0].draft.call.get("digest") == final.draft.call.get("digest")
        back = self._bring_back(*base, frame, is_same_call=is_same_call, is_same_code=is_same_code)
        run.engine.adopt(final)
        return Restored(final.number, back.age_s, back.restored, back.skipped, complete=True)

    def _bring_back(
        self,
        manifest: Manifest,
        content: Content,
        frame: FrameType | None,
        *,
        is_same_call: bool,
        is_same_code: bool,
    ) -> Restored:
        run = self._run
        position = Position.from_json(manifest.draft.position)
        names = run.names(frame)
        keeps_arguments = run.settings.args == "caller" or not is_same_call
        kept = argument_names(frame.f_code) if keeps_arguments and frame is not None else ()
        application = run.application(manifest, names, kept)
        try:
            revived = application.apply(content, frame, names)
        except RestoreError as why:
            raise RestoreError(f"generation {manifest.number} of {run.title!r}: {why}") from why
        run.values = dict(revived.values)
        run.open(manifest)
        if is_same_call and (position.door is not None or position.has_loops):
            buffers = replace(content, stream=b"")
            run.course.set_out(position, Destination(manifest, buffers, application, is_same_code))
            run.due_at = -math.inf
        restored = self._record(manifest, tuple(n for n in revived.names if n not in kept))
        notices.say("%s", self._restored_line(manifest, restored))
        return restored

    def _record(self, manifest: Manifest, names: tuple[str, ...]) -> Restored:
        skipped = tuple(row.name for row in manifest.draft.variables if row.skipped)
        age_s = max(0.0, time.time() - manifest.created_at)
        return Restored(manifest.number, age_s, names, skipped, manifest.draft.complete)

    def _restored_line(self, manifest: Manifest, restored: Restored) -> str:
        run = self._run
        shown = [
            f"{row.name}={row.preview}"
            for row in manifest.draft.variables
            if row.type in ("int", "float")
            and row.preview not in ("", "***")
            and row.name not in run.call.shown
        ][:3]
        what = f": {', '.join(shown)}" if shown else ""
        above = f", from {self._found_above}" if self._found_above is not None else ""
        return f"↻ resuming {run.title}{what} ({restored}{above})"

    def open_unrestored(self) -> None:
        """The first safe point or loop without a `restore()` before it."""
        run = self._run
        if run.settings.clean:
            self._start_anew("clean=True")
            return
        self._choose_line()
        newest = run.engine.store.newest()
        if newest is not None:
            raise ConfigError(
                f"checkpoint {run.title!r} has generation {newest.number}, and restore() was not "
                "called: saving now would go past it. Call chp.restore() before the first loop or "
                "sync(), or open it with Checkpoint(clean=True) to start anew. Nothing was changed"
            )
        run.open(None)
