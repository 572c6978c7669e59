"""One run of an owner under a checkpoint: opening, safe points, the end.

`Checkpoint` is the user's handle; this is what it drives. A run is used from one thread: other
threads only ask for a save.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic
from types import CellType, CodeType, FrameType
from typing import Any, NoReturn

from resume import notices, registry
from resume.application import Application
from resume.askers import let_cloud_ask, let_file_ask
from resume.asking import Askable
from resume.call import Call
from resume.course import Course
from resume.engine import Engine
from resume.errors import CheckpointBusyError, ConfigError, ResumeError
from resume.frames import static_looks
from resume.loops import Loop, LoopIterator
from resume.owner import (
    FrameOwner,
    NamespaceOwner,
    ObjectOwner,
    Owner,
    local_classes,
    state_names,
)
from resume.pickling import Reducers
from resume.position import Position
from resume.preempting import PreemptHook
from resume.replay import make_iterator
from resume.restoring import Restoring
from resume.results import (
    AT_ITEM_END,
    FINISHED,
    NOT_DUE,
    ON_THE_WAY,
    SWITCHED_OFF,
    Deferred,
    Restored,
    Saved,
)
from resume.saving import Saving
from resume.settings import Settings
from resume.snapshot import LoopScene, Scene
from resume.store import is_death
from resume.types import Content, Manifest

_NEVER_STATE = (
    LoopIterator,
    Restored,
    Saved,
    Deferred,
    PreemptHook,
)  # they tell of this run, not of the saved one


class Run(Askable):
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
        self.settings = settings
        self._handle_type = handle_type
        self._own = {"checkpoint": handle}
        self.passed = dict(passed)
        self._rename = rename
        self._restoring = Restoring(self, found_above)
        self.course = Course(self)
        self.saving = Saving(self, reducers)
        self.asking = self.saving.asking
        self.final: Manifest | None = None
        self._is_open = False
        self._ended = False
        self._failed: ResumeError | None = None
        self._thread = threading.get_ident()
        self._restored_at: tuple[CodeType, int] | None = None
        self._has_looked = False

    # --- opening -------------------------------------------------------------------------------

    @property
    def resuming(self) -> bool:
        """Whether the statements that run now lead back to the saved place."""
        return self.course.way is not None

    @property
    def handle(self) -> object:
        """What the user calls the checkpoint."""
        return self._own["checkpoint"]

    def has_ended(self) -> bool:
        """Whether nothing can be saved any more."""
        return self._ended

    def is_own_thread(self) -> bool:
        """Whether the caller is the thread that saves; any other only asks."""
        return threading.get_ident() == self._thread

    def restore(self, caller: FrameType) -> Restored:
        """Bring the newest generation back; see `Checkpoint.restore`."""
        if self.is_off:
            return Restored()
        self._check_usable()
        if self.course.track.active:
            raise ConfigError("restore() stands inside a chp.loop: move it above the outermost one")
        frame = self._owner_frame(caller)
        self._restored_at = (caller.f_code, caller.f_lasti)
        try:
            restored = self._restoring.restore(frame)
        except CheckpointBusyError:
            raise
        except ConfigError as why:
            self._failed = why  # the state is not this call's: who goes past this saves nothing
            raise
        except ResumeError:
            # a program that goes past this starts a line of its own; what was there is set aside
            self.open(None)
            raise
        if self.settings.at_start and not self.resuming and self.final is None:
            self.save_at(frame, Position(None), "start")
        return restored

    @property
    def call_key(self) -> tuple[str, str]:
        """What tells this call from others of this process."""
        return str(self.engine.store.place), self.call.digest

    def application(
        self, manifest: Manifest, names: Mapping[str, Any], kept: tuple[str, ...] = ()
    ) -> Application:
        """What puts *manifest* into the owner; names in *kept* keep the caller's values."""
        return Application(
            self.owner,
            loops=len(manifest.draft.position.get("loops", ())),
            live=self._live_objects(manifest, names),
            keep=kept,
            saved=[row.name for row in manifest.draft.variables if not row.skipped],
            skipped=[row.name for row in manifest.draft.variables if row.skipped],
            own=self._own,
            rename=self._rename(),
            exclude=self.settings.exclude,
        )

    def _live_objects(self, manifest: Manifest, names: Mapping[str, Any]) -> dict[str, Any]:
        """Objects that others hold too, by the anchor they were saved under: restored in place."""
        passed = manifest.draft.call.get("passed", {})
        live = {anchor: self.passed[arg] for arg, anchor in passed.items() if arg in self.passed}
        live |= {name: names[name] for name in self.settings.include if name in names}
        if isinstance(self.owner, ObjectOwner):
            live[ObjectOwner.NAME] = self.owner.object
        return live

    def open(self, manifest: Manifest | None) -> None:
        """From now on saves may be made: as children of *manifest*, or in a line of their own."""
        if not self._is_open:
            self._let_others_ask()
        self._is_open = True
        self.engine.adopt(manifest)
        self.saving.begin()

    def _let_others_ask(self) -> None:
        engine = self.engine
        let_file_ask(self.asking, self.title, lambda: engine.store.place, engine.folder)
        if self.settings.watch is not None:
            let_cloud_ask(self.asking, self.settings.watch, self.settings.exit_code)

    # --- safe points ---------------------------------------------------------------------------

    def safe_point(  # noqa: PLR0911 - one for each answer
        self, caller: FrameType, trigger: str, values: Mapping[str, Any] | None = None
    ) -> Saved | Deferred:
        """A `sync()` that may be due, or a `save()`."""
        if self.is_off:
            return SWITCHED_OFF
        if threading.get_ident() != self._thread and self.owner.find(caller) is None:
            self.values.update(values or {})
            return self.saving.ask(trigger)
        self._check_usable()
        if not self._is_open:
            self._restoring.open_unrestored()
        frame = self._owner_frame(caller)
        if frame is caller and not self._has_looked:
            self._look_at_code(frame)
        self.values.update(values or {})
        if self.course.track.active:
            return self._defer(trigger)
        if self.resuming:
            self.course.pass_by(frame, caller)
            return ON_THE_WAY
        if self.final is not None:
            return FINISHED
        position = self.course.straight_position(frame, caller)
        if position.door is None and any(position.finished):
            raise ConfigError(
                f"the safe point at line {caller.f_lineno} stands in a plain loop (or in a called "
                "function) behind a chp.loop: a rerun could not lead back there. Make that loop a "
                "chp.loop too, or use @resumable"
            )
        if trigger != "save" and not self.wants_save():
            return NOT_DUE
        return self._save(frame, position, trigger)

    def _look_at_code(self, frame: FrameType) -> None:
        """Say once what in the owner's code a rerun would not bring back."""
        self._has_looked = True
        handle = self.handle
        handles = [name for name, value in self.owner.read(frame).items() if value is handle]
        restored = self._restored_at
        offset = restored[1] if restored is not None and restored[0] is frame.f_code else None
        for look in static_looks(frame.f_code, offset, handles=handles):
            notices.warn(f"{self.title}: {look.text}")

    def wants_save(self) -> bool:
        """Whether a save is due at this safe point, which counts as one."""
        return self.saving.wants_save()

    def _defer(self, trigger: str) -> Deferred:
        if trigger != "save" and not self.wants_save():
            return NOT_DUE
        self.saving.defer(trigger, self.course.track.active[-1].line)
        return AT_ITEM_END

    def save_at(self, frame: FrameType | None, position: Position, trigger: str | None) -> bool:
        """Save at *position*; tells whether it was done."""
        return bool(self._save(frame, position, trigger or "sync"))

    def _save(
        self, frame: FrameType | None, position: Position, trigger: str, *, complete: bool = False
    ) -> Saved | Deferred:
        self._refuse_unskippable()
        return self.saving.save(frame, position, trigger, complete=complete)

    def _refuse_unskippable(self) -> None:
        if self.course.track.left_elsewhere() is not None:
            raise ConfigError(
                f"{self.title}: a chp.loop was left by return, an exception, or break past its "
                "else, so a rerun could not skip it, and nothing can be saved behind it. Leave the "
                "loop by a plain break (set a flag), give it a function of its own, or use "
                "@resumable"
            )

    def names(self, frame: FrameType | None) -> Mapping[str, Any]:
        """The state's names as they are now."""
        return self._split_names(self.owner.read(frame))[0]

    def _split_names(self, everything: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The state's names, and those that `exclude=` keeps out of it."""
        kept, left_out = state_names(
            everything, self.owner, self.settings.exclude, (self._handle_type, *_NEVER_STATE)
        )
        return kept, {name: everything[name] for name in left_out}

    def scene(self, frame: FrameType | None) -> Scene:
        """Everything that a save is made of, as it is now."""
        everything = self.owner.read(frame)
        names, externals = self._split_names(everything)
        return Scene(
            names=names,
            passed=self.passed,
            held=(*self.settings.include, *names)
            if isinstance(self.owner, ObjectOwner)
            else self.settings.include,
            values=self.values,
            loops=[
                LoopScene(one.iterator, one.item, one.start, one.line, one.shared_as, one.has_drawn)
                for one in self.course.track.active
            ],
            externals=externals,
            outside=[*externals.values(), *self._callers_own()],
            classes=local_classes(everything, self.owner),
            own=self._own,
            cells=self._cells(frame),
        )

    def _callers_own(self) -> list[Any]:
        return list(self.passed.values()) if self.settings.args == "caller" else []

    def _cells(self, frame: FrameType | None) -> Callable[[CellType, str], str | None] | None:
        """Tell which cells are the frame's own; the name may be empty where nobody knows it."""
        owner = self.owner
        if not isinstance(owner, FrameOwner) or frame is None:
            return None
        own = (*owner.code.co_cellvars, *owner.code.co_freevars)

        def name_of(cell: CellType, name: str) -> str | None:
            asked = (name,) if name else own
            found = (one for one in asked if one in own and owner.owns_cell(frame, one, cell))
            return next(found, None)

        return name_of

    # --- loops and the way back ----------------------------------------------------------------

    def loop(self, iterable: Any, name: str | None, caller: FrameType) -> Any:
        """The iterable of a `for`; see `Checkpoint.loop`."""
        if self.is_off:
            return make_iterator(iterable)
        self._check_usable()
        if isinstance(self.owner, ObjectOwner):
            raise ConfigError(
                "chp.loop() needs the names of the function that loops, and Checkpoint(of=...) "
                "saves an object only. Use `while self.epoch < n:` with sync(), or a Checkpoint() "
                "in the function itself"
            )
        if not self._is_open:
            self._restoring.open_unrestored()
        if self._owner_frame(caller) is not caller:
            raise ConfigError(
                f"chp.loop() was called in {caller.f_code.co_qualname}, and the checkpoint belongs "
                f"to {self.owner.title}: only a `for` there can be led back to its place. Write "
                f"`for x in chp.loop(xs):` in {self.owner.title} itself, make a Checkpoint in the "
                "function that loops, or use @resumable"
            )
        return self.course.begin_loop(iterable, name, caller)

    def look_up(self, caller: FrameType) -> None:
        """`chp.loop` was looked up; its argument is evaluated next."""
        if not self.is_off and self._is_open and not isinstance(self.owner, ObjectOwner):
            self.course.look_up(caller)

    def before_item(self, loop: Loop, frame: FrameType) -> None:
        """The place between two items, when something may have to be done there."""
        if self.is_off:
            self.due_at = math.inf
            return
        self._check_usable()
        self.course.before_item(loop, frame)

    def exhausted(self, loop: Loop, frame: FrameType) -> None:
        """The loop has no more items."""
        if not self.is_off:
            self.course.exhausted(loop, frame)

    def dropped(self, loop: Loop, frame: FrameType | None) -> None:
        """The `for` let go of its iterator before the end."""
        if not self.is_off:
            self.course.dropped(loop, frame)

    def saves_at_finish(self) -> bool:
        """Whether the end of the block will be saved."""
        return self.in_block and self.settings.at_finish

    def read(self, manifest: Manifest, again: Content) -> Content:
        """The bytes of a generation, verified again."""
        return self.engine.store.read(manifest, again)

    def arrived(self, values: Mapping[str, Any]) -> None:
        """The way back has ended at its door."""
        self.values = dict(values)
        self.saving.arrived()

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
            self.course.check_way()
            raise self.course.end_early("block")
        if self.final is not None:
            content = self.engine.store.read(self.final)
            names = self.names(frame)
            self.values = dict(
                self.application(self.final, names).apply(content, frame, names).values
            )
        elif self.course.track.left_elsewhere() is not None:
            notices.say(
                "%s: the block was left from inside a chp.loop, so its end was not saved; a rerun "
                "goes on from the last save", self.title,
            )  # fmt: skip
        elif self.settings.at_finish:
            if not self._is_open:
                self._restoring.open_unrestored()
            self.complete = bool(
                self._save(frame, self.course.end_position(), "finish", complete=True)
            )
        self.saving.settle()  # here a failure can still be raised

    def close(self, *, by: BaseException | None = None) -> None:
        """Let go of everything; safe to call again.

        Args:
            by: What ended it, where that is known.
        """
        if not self._ended:
            self._ended = True
            registry.remove(self)
            self._remember_call()
            self.saving.close(died=is_death(by) and self._failed is None)
            self.passed.clear()
            self.course.track.active.clear()

    def _remember_call(self) -> None:
        if self._failed is not None:
            return  # refused: the state is still that of the call before
        was_cut_short = self.was_cut_short or self.course.track.left_elsewhere() is not None
        if was_cut_short or self.is_interactive or not self.passed:
            registry.forget_objects(self.call_key)
        else:
            registry.remember_objects(self.call_key, list(self.passed.values()))

    def owner_ended(self, *, by: BaseException | None = None) -> None:
        """The function returned or raised, which cannot be told apart; nothing can be raised here.

        Args:
            by: What ends the whole program, where that is known.
        """
        if self._ended or self.is_off:
            return
        way = self.course.way
        if way is not None and self._failed is None and way.position.door is not None:
            error = self.course.end_early("function")
            notices.say("✖ %s: %s", self.title, error, level=logging.ERROR)
            registry.report_later(error, self.owner.code.co_filename if self.owner.code else "")
        elif self.saving.asked is not None and self._failed is None:
            notices.say(
                "%s: the save asked for inside the loop was not made, because the loop was left; a "
                "rerun goes on from the last save", self.title,
            )  # fmt: skip
        try:
            self.close(by=by)
        except KeyboardInterrupt:  # out of here it would be lost: nobody can catch it
            registry.interrupt_again()

    def at_exit(self) -> None:
        """The interpreter ends."""
        # who works at a prompt sees the error, and starts the next try: nothing to guard against
        self.owner_ended(by=None if self.is_interactive else registry.uncaught())

    def is_alive(self) -> bool:
        """Whether the owner can still come to a safe point."""
        return not self._ended and self.owner.is_alive()

    def switch_off(self) -> None:
        """In a forked child: the state belongs to the parent."""
        self.is_off = True
        self.due_at = math.inf
        self.asking.forget()
        self.engine.forget_writer()
        self.course.way = None

    # --- signals, some of it called by a handler ------------------------------------------------

    def can_save(self) -> bool:
        """Whether the next safe point, whenever it comes, can be saved."""
        is_live = self._is_open and not self._ended and not self.is_off
        can_come = is_live and self._failed is None and not self.resuming and self.final is None
        return can_come and self.owner.is_alive()

    def expects_save(self, now: float) -> bool:
        """Whether it can, and is to be expected soon."""
        return self.can_save() and self.asking.are_coming(now)

    def place(self) -> str:
        """Say where the program stands, `epoch=47/300`; empty where nobody knows."""
        return self.course.place()

    def saved_age_s(self) -> float | None:
        """Seconds since the last save; None: nothing is saved."""
        return None if self.engine.last is None else monotonic() - self.saving.saved_at

    def has_left(self) -> bool:
        """Whether the code that would have come to a safe point has been left."""
        return self._ended or self.course.track.left_elsewhere() is not None or not self.is_alive()

    # --- checks --------------------------------------------------------------------------------

    def _check_usable(self) -> None:
        if self._failed is not None:
            raise self._failed
        if self._ended:
            self._refuse_end()

    def _refuse_end(self) -> NoReturn:
        if self.in_block:
            raise ConfigError(
                f"{self.title}: the `with` block of this checkpoint has ended, and nothing is "
                "saved behind it. Move the call into the block, or make a Checkpoint without one"
            )
        raise ConfigError(
            f"{self.owner.title} has returned or is not running here, so its variables cannot "
            "be saved: make the checkpoint in the function that loops, or use Checkpoint(of=self)"
        )

    def _owner_frame(self, caller: FrameType) -> FrameType | None:
        frame = self.owner.find(caller)
        if frame is None and not isinstance(self.owner, ObjectOwner):
            self._refuse_end()
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
