"""One run of an owner under a checkpoint: opening, safe points, the end.

`Checkpoint` is the user's handle; this is what it drives. A run is used from one thread: other
threads only ask for a save.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic
from types import CellType, CodeType, FrameType
from typing import Any

from resume import notices, registry
from resume.application import Application
from resume.call import Call
from resume.course import Course, Destination
from resume.engine import Engine
from resume.errors import CaptureError, CheckpointBusyError, ConfigError, ResumeError, StoreError
from resume.frames import argument_names, static_looks
from resume.loops import Loop, LoopIterator
from resume.owner import FrameOwner, NamespaceOwner, ObjectOwner, Owner, state_names
from resume.pickling import Reducers
from resume.position import Position
from resume.replay import item_digest, make_iterator
from resume.results import (
    AT_ITEM_END,
    FAILED,
    FINISHED,
    NOT_DUE,
    ON_THE_WAY,
    REQUESTED,
    SWITCHED_OFF,
    Deferred,
    Restored,
    Saved,
)
from resume.settings import Settings
from resume.snapshot import LoopScene, Scene
from resume.triggers import Schedule
from resume.types import Content, Manifest
from resume.validation import check_generation

_ITEM_PATIENCE = 4  # a save due for so many rates inside one item: say so, once


class Run:
    """The engine room behind one `Checkpoint`."""

    def __init__(
        self,
        *,
        handle: object,
        handle_type: type,
        owner: Owner,
        engine: Engine,
        settings: Settings,
        call: Call,
        passed: Mapping[str, Any],
        reducers: Callable[[], Reducers],
        rename: Callable[[], Mapping[str, str]],
        found_above: Path | None,
        is_interactive: bool,
    ) -> None:
        self.due_at = -math.inf
        self.saved_at = monotonic()
        self.owner = owner
        self.engine = engine
        self.call = call
        self.title = engine.name
        self.values: dict[str, Any] = {}
        self.complete = False
        self.in_block = False
        self.is_off = False
        self.is_interactive = is_interactive
        self.was_cut_short = False
        self._settings = settings
        self._handle_type = handle_type
        self._own = {"checkpoint": handle}
        self._passed = dict(passed)
        self._reducers = reducers
        self._rename = rename
        self._found_above = found_above
        self._schedule = Schedule(settings.rate, settings.iterations)
        self._course = Course(self)
        self._final: Manifest | None = None
        self._is_open = False
        self._ended = False
        self._failed: ResumeError | None = None
        self._pending: str | None = None
        self._thread = threading.get_ident()
        self._said_waiting = False
        self._restored_at: tuple[CodeType, int] | None = None
        self._has_looked = False

    # --- opening -------------------------------------------------------------------------------

    @property
    def resuming(self) -> bool:
        """Whether the statements that run now lead back to the saved place."""
        return self._course.way is not None

    def restore(self, caller: FrameType) -> Restored:
        """Bring the newest generation back; see `Checkpoint.restore`."""
        if self.is_off:
            return Restored()
        self._check_usable()
        if self._course.track.active:
            raise ConfigError("restore() stands inside a chp.loop: move it above the outermost one")
        frame = self._owner_frame(caller)
        self._restored_at = (caller.f_code, caller.f_lasti)
        try:
            restored = self._restore(frame)
        except (CheckpointBusyError, ConfigError):
            raise
        except ResumeError:
            # a program that goes past this starts a line of its own; what was there is set aside
            self._open(None)
            raise
        if self._settings.at_start and not self.resuming and self._final is None:
            self.save_at(frame, Position(None), "start")
        return restored

    def _restore(self, frame: FrameType | None) -> Restored:
        if self._settings.clean:
            return self._start_anew("clean=True")
        is_same_call = self._choose_line()
        self._refuse_other_objects()
        found = self.engine.read_best()
        if found is None:
            self._open(None)
            return Restored()
        manifest, content = found
        verdict = check_generation(manifest, self.engine.origin, self._settings)
        if verdict.restart:
            return self._start_anew(verdict.restart)
        if manifest.draft.complete and is_same_call:
            return self._restore_complete(manifest, frame, is_same_code=verdict.is_same_code)
        return self._bring_back(
            manifest, content, frame, is_same_call=is_same_call, is_same_code=verdict.is_same_code
        )

    def _choose_line(self) -> bool:
        is_same_call = self.engine.choose_line(self.call)
        self.title = self.engine.name
        self.engine.lock()
        return is_same_call

    def _refuse_other_objects(self) -> None:
        """Two calls of one process with equal simple arguments: which of them the state is of?"""
        if not registry.met_other_objects(self._call_key, list(self._passed.values())):
            return
        listed = ", ".join(self._passed)
        raise ConfigError(
            f"{self.owner.title} was called before in this process, with the same simple arguments "
            f"and other objects ({listed}): the state {self.title!r} belongs to that call. Nothing "
            "was changed. Tell the calls apart by a simple argument, or by a name: "
            "Checkpoint(name='{function}-{fold}')"
        )

    @property
    def _call_key(self) -> tuple[str, str]:
        return str(self.engine.store.place), self.call.digest

    def _start_anew(self, why: str) -> Restored:
        self.engine.lock()
        if self.engine.store.entries():
            notices.say("%s: starting anew (%s); what was there is set aside", self.title, why)
        self._open(None)
        return Restored()

    def _restore_complete(
        self, final: Manifest, frame: FrameType | None, *, is_same_code: bool
    ) -> Restored:
        """A finished block runs again from the last place before its end, then gets its final state.

        So its last statements see what they saw, and what it returns or prints is the same again.
        """
        self._final = final
        self.complete = True
        self._course.is_sealed = True
        base = self.engine.read_base(final)
        if base is None:
            self._open(final)
            notices.say("↻ %s had finished: its result will be the saved one", self.title)
            return self._record(final, ())
        back = self._bring_back(*base, frame, is_same_call=True, is_same_code=is_same_code)
        self.engine.adopt(final)
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
        position = Position.from_json(manifest.draft.position)
        names, _ = self._split_names(frame)
        keeps_arguments = self._settings.args == "caller" or not is_same_call
        kept = argument_names(frame.f_code) if keeps_arguments and frame is not None else ()
        application = self._application(manifest, names, kept)
        revived = application.apply(content, frame, names)
        self.values = dict(revived.values)
        self._open(manifest)
        if is_same_call and (position.door is not None or position.has_loops):
            self._course.set_out(position, Destination(manifest, application, is_same_code))
            self.due_at = -math.inf
        restored = self._record(manifest, tuple(n for n in revived.names if n not in kept))
        notices.say("%s", self._restored_line(manifest, restored))
        return restored

    def _application(
        self, manifest: Manifest, names: Mapping[str, Any], kept: tuple[str, ...] = ()
    ) -> Application:
        return Application(
            self.owner,
            loops=len(manifest.draft.position.get("loops", ())),
            live=self._live_objects(manifest, names),
            keep=kept,
            skipped=[row.name for row in manifest.draft.variables if row.skipped],
            own=self._own,
            rename=self._rename(),
        )

    def _live_objects(self, manifest: Manifest, names: Mapping[str, Any]) -> dict[str, Any]:
        """Objects that others hold too, by the anchor they were saved under: restored in place."""
        passed = manifest.draft.call.get("passed", {})
        live = {anchor: self._passed[arg] for arg, anchor in passed.items() if arg in self._passed}
        live |= {name: names[name] for name in self._settings.include if name in names}
        if isinstance(self.owner, ObjectOwner):
            live[ObjectOwner.NAME] = self.owner.object
        return live

    def _open(self, manifest: Manifest | None) -> None:
        self._is_open = True
        if manifest is not None:
            self.engine.adopt(manifest)
        else:
            self.engine.last = None
        self.saved_at = monotonic()
        self.due_at = -math.inf  # the first safe point is looked at

    def _record(self, manifest: Manifest, names: tuple[str, ...]) -> Restored:
        skipped = tuple(row.name for row in manifest.draft.variables if row.skipped)
        age_s = max(0.0, time.time() - manifest.created_at)
        return Restored(manifest.number, age_s, names, skipped, manifest.draft.complete)

    def _restored_line(self, manifest: Manifest, restored: Restored) -> str:
        shown = [
            f"{row.name}={row.preview}"
            for row in manifest.draft.variables
            if row.type in ("int", "float")
            and row.preview not in ("", "***")
            and row.name not in self.call.shown
        ][:3]
        what = f" {', '.join(shown)}" if shown else ""
        above = f", from {self._found_above}" if self._found_above is not None else ""
        return f"↻ resuming {self.title}:{what} ({restored}{above})"

    def _open_unrestored(self) -> None:
        """The first safe point or loop without a `restore()` before it."""
        if self._settings.clean:
            self._start_anew("clean=True")
            return
        self._choose_line()
        newest = self.engine.store.newest()
        if newest is not None:
            raise ConfigError(
                f"checkpoint {self.title!r} has generation {newest.number}, and restore() was not "
                "called: saving now would go past it. Call chp.restore() before the first loop or "
                "sync(), or open it with Checkpoint(clean=True) to start anew. Nothing was changed"
            )
        self._open(None)

    # --- safe points ---------------------------------------------------------------------------

    def safe_point(
        self, caller: FrameType, trigger: str, values: Mapping[str, Any] | None = None
    ) -> Saved | Deferred:
        """A `sync()` that may be due, or a `save()`."""
        if self.is_off:
            return SWITCHED_OFF
        if threading.get_ident() != self._thread and self.owner.find(caller) is None:
            self._pending, self.due_at = trigger, -math.inf
            return REQUESTED
        self._check_usable()
        if not self._is_open:
            self._open_unrestored()
        frame = self._owner_frame(caller)
        if frame is caller and not self._has_looked:
            self._look_at_code(frame)
        self.values.update(values or {})
        if self._course.track.active:
            return self._defer(trigger) if trigger == "save" or self.wants_save() else NOT_DUE
        if self.resuming:
            self._course.pass_by(frame, caller)
            return ON_THE_WAY
        if self._final is not None:
            return FINISHED
        position = self._course.straight_position(frame, caller)
        if position.door is None and any(position.finished):
            raise ConfigError(
                f"the safe point at line {caller.f_lineno} stands in a plain loop (or in a called "
                "function) behind a chp.loop: a rerun could not lead back there. Make that loop a "
                "chp.loop too, or use @resumable"
            )
        if trigger != "save" and not self.wants_save():
            return NOT_DUE
        return self._save(frame, position, self._pending or trigger)

    def _look_at_code(self, frame: FrameType) -> None:
        """Say once what in the owner's code a rerun would not bring back."""
        self._has_looked = True
        handle = self._own["checkpoint"]
        handles = [name for name, value in self.owner.read(frame).items() if value is handle]
        restored = self._restored_at
        offset = restored[1] if restored is not None and restored[0] is frame.f_code else None
        for look in static_looks(frame.f_code, offset, handles=handles):
            notices.warn(f"{self.title}: {look.text}")

    def wants_save(self) -> bool:
        """Whether a save is due at this safe point, which counts as one."""
        now = monotonic()
        if self._pending is not None:
            return True
        if self._schedule.iterations is None and self.due_at == -math.inf:
            self.due_at = self.saved_at + self._schedule.rate_s
        return self._schedule.is_due(now, self.due_at, self.saved_at)

    def _defer(self, trigger: str) -> Deferred:
        self._pending = self._pending or trigger
        self.due_at = -math.inf
        overdue_s = monotonic() - self.saved_at
        if not self._said_waiting and overdue_s > max(60.0, _ITEM_PATIENCE * self._schedule.rate_s):
            self._said_waiting = True
            notices.say(
                "⚠ %s: a save has been due for long inside one item of the loop at line %d; it is "
                "made at the item's end. Put a chp.loop inside the item, or use @resumable",
                self.title, self._course.track.active[-1].line, level=logging.WARNING,
            )  # fmt: skip
        return AT_ITEM_END

    def save_at(self, frame: FrameType | None, position: Position, trigger: str | None) -> bool:
        """Save at *position*; tells whether it was done."""
        return bool(self._save(frame, position, self._pending or trigger or "sync"))

    def _save(
        self, frame: FrameType | None, position: Position, trigger: str, *, complete: bool = False
    ) -> Saved | Deferred:
        self._refuse_unskippable()
        began = monotonic()
        try:
            manifest = self.engine.save(
                self._scene(frame),
                position,
                self.call,
                trigger=trigger,
                reducers=self._reducers(),
                complete=complete,
                base=self._base(complete=complete),
                digest=item_digest,
            )
        except (CheckpointBusyError, CaptureError):
            raise
        except StoreError as why:
            self._rest(began)
            if self._settings.on_save_error == "raise":
                raise
            notices.say("⚠ %s: could not save: %s", self.title, why, level=logging.WARNING)
            return FAILED
        self._rest(began)
        return Saved(manifest.number)

    def _rest(self, began: float) -> None:
        self.saved_at = monotonic()
        self._pending = None
        self._said_waiting = False
        self.due_at = self._schedule.next_due_at(self.saved_at, self.saved_at - began)

    def _base(self, *, complete: bool) -> int | None:
        last = self.engine.last
        if not complete or last is None:
            return None
        return last.draft.base if last.draft.complete else last.number

    def _refuse_unskippable(self) -> None:
        if self._course.track.left_elsewhere() is not None:
            raise ConfigError(
                f"{self.title}: a chp.loop was left by return, an exception, or break past its else, "
                "so a rerun could not skip it, and nothing can be saved behind it. Leave the loop by "
                "a plain break (set a flag), give it a function of its own, or use @resumable"
            )

    def names(self, frame: FrameType | None) -> Mapping[str, Any]:
        """The state's names as they are now."""
        return self._split_names(frame)[0]

    def _split_names(self, frame: FrameType | None) -> tuple[dict[str, Any], dict[str, Any]]:
        """The state's names, and those that `exclude=` keeps out of it."""
        everything = self.owner.read(frame)
        kept, left_out = state_names(
            everything, self.owner, self._settings.exclude, (self._handle_type, LoopIterator)
        )
        return kept, {name: everything[name] for name in left_out}

    def _scene(self, frame: FrameType | None) -> Scene:
        names, externals = self._split_names(frame)
        return Scene(
            names=names,
            passed=self._passed,
            held=(*self._settings.include, *names)
            if isinstance(self.owner, ObjectOwner)
            else self._settings.include,
            values=self.values,
            loops=[LoopScene(lp.iterator, lp.item, lp.start) for lp in self._course.track.active],
            externals=externals,
            own=self._own,
            cells=self._cells(frame, names),
        )

    def _cells(
        self, frame: FrameType | None, names: Mapping[str, Any]
    ) -> Callable[[CellType, str], str | None] | None:
        owner = self.owner
        if not isinstance(owner, FrameOwner) or frame is None:
            return None

        def name_of(cell: CellType, name: str) -> str | None:
            return name if name in names and owner.owns_cell(frame, name, cell) else None

        return name_of

    # --- loops and the way back ----------------------------------------------------------------

    def loop(self, iterable: Any, name: str | None, caller: FrameType) -> Any:
        """The iterable of a `for`; see `Checkpoint.loop`."""
        if self.is_off:
            return make_iterator(iterable)
        self._check_usable()
        if isinstance(self.owner, ObjectOwner):
            raise ConfigError(
                "chp.loop() needs the names of the function that loops, and Checkpoint(of=...) saves "
                "an object only. Use `while self.epoch < n:` with sync(), or a Checkpoint() in the "
                "function itself"
            )
        if not self._is_open:
            self._open_unrestored()
        if self._owner_frame(caller) is not caller:
            raise ConfigError(
                f"chp.loop() was called in {caller.f_code.co_qualname}, and the checkpoint belongs to "
                f"{self.owner.title}: only a `for` there can be led back to its place"
            )
        return self._course.begin_loop(iterable, name, caller)

    def before_item(self, loop: Loop, frame: FrameType) -> None:
        """The place between two items, when something may have to be done there."""
        if self.is_off:
            self.due_at = math.inf
            return
        self._check_usable()
        self._course.before_item(loop, frame)

    def exhausted(self, loop: Loop, frame: FrameType) -> None:
        """The loop has no more items."""
        if not self.is_off:
            self._course.exhausted(loop, frame)

    def dropped(self, loop: Loop, frame: FrameType | None) -> None:
        """The `for` let go of its iterator before the end."""
        if not self.is_off:
            self._course.dropped(loop, frame)

    def saves_at_finish(self) -> bool:
        """Whether the end of the block will be saved."""
        return self.in_block and self._settings.at_finish

    def read(self, manifest: Manifest) -> Content:
        """The bytes of a generation, verified again."""
        return self.engine.store.read(manifest)

    def arrived(self, values: Mapping[str, Any]) -> None:
        """The way back has ended at its door."""
        self.values = dict(values)
        self._pending = None
        self.saved_at = monotonic()
        self.due_at = self._schedule.next_due_at(self.saved_at)

    def fail(self, error: ResumeError) -> None:
        """Nothing is to be saved from now on: the generation stands."""
        self._failed = error

    # --- the end -------------------------------------------------------------------------------

    def finish(self, caller: FrameType) -> None:
        """The block ended normally."""
        if self.is_off or self._ended:
            return
        self._check_usable()
        frame = self._owner_frame(caller)
        if self.resuming:
            self._course.check_way()
            raise self._course.end_early("block")
        if self._final is not None:
            content = self.engine.store.read(self._final)
            names = self.names(frame)
            self.values = dict(
                self._application(self._final, names).apply(content, frame, names).values
            )
        elif self._course.track.left_elsewhere() is not None:
            notices.say(
                "%s: the block was left from inside a chp.loop, so its end was not saved; a rerun "
                "goes on from the last save", self.title,
            )  # fmt: skip
        elif self._settings.at_finish:
            if not self._is_open:
                self._open_unrestored()
            self.complete = bool(
                self._save(frame, self._course.end_position(), "finish", complete=True)
            )

    def close(self) -> None:
        """Let go of everything; safe to call again."""
        if not self._ended:
            self._ended = True
            registry.remove(self)
            self._remember_call()
            self.engine.store.unlock()
            self._passed.clear()
            self._course.track.active.clear()

    def _remember_call(self) -> None:
        was_cut_short = self.was_cut_short or self._course.track.left_elsewhere() is not None
        if was_cut_short or self.is_interactive or not self._passed:
            registry.forget_objects(self._call_key)
        else:
            registry.remember_objects(self._call_key, list(self._passed.values()))

    def owner_ended(self) -> None:
        """The function returned or raised; nothing can be raised here."""
        if self._ended or self.is_off:
            return
        way = self._course.way
        if way is not None and self._failed is None and way.position.door is not None:
            error = self._course.end_early("function")
            notices.say("✖ %s: %s", self.title, error, level=logging.ERROR)
            registry.report_later(error)
        elif self._pending is not None and self._failed is None:
            notices.say(
                "%s: the save asked for inside the loop was not made, because the loop was left; a "
                "rerun goes on from the last save", self.title,
            )  # fmt: skip
        self.close()

    def at_exit(self) -> None:
        """The interpreter ends."""
        self.owner_ended()

    def is_alive(self) -> bool:
        """Whether the owner can still come to a safe point."""
        return not self._ended and self.owner.is_alive()

    def switch_off(self) -> None:
        """In a forked child: the state belongs to the parent."""
        self.is_off = True
        self.due_at = math.inf
        self._course.way = None

    # --- checks --------------------------------------------------------------------------------

    def _check_usable(self) -> None:
        if self._failed is not None:
            raise self._failed
        if self._ended:
            raise ConfigError(f"{self.title}: the block or function of this checkpoint has ended")

    def _owner_frame(self, caller: FrameType) -> FrameType | None:
        frame = self.owner.find(caller)
        if frame is None and not isinstance(self.owner, ObjectOwner):
            raise ConfigError(
                f"{self.owner.title} has returned or is not running here, so its variables cannot be "
                "saved: make the checkpoint in the function that loops, or use Checkpoint(of=self)"
            )
        return frame

    def is_same_place(self, other: Run) -> bool:
        """Whether both would write to the same line."""
        return self.engine.store.place == other.engine.store.place

    def yields_to(self, other: Run, *, interactive: bool) -> bool:
        """Whether *other* takes this one's place: the same cell or prompt line, run again."""
        mine, its = self.owner, other.owner
        return (
            interactive
            and isinstance(mine, NamespaceOwner)
            and isinstance(its, NamespaceOwner)
            and mine.names is its.names
        )
