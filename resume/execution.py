"""One run of a rewritten program: its whole state goes into generations, and comes back.

`Run` does the same for the names of one owner. Here it is a stack of frames with all that they
hold; what a generation is, where it lies and who may read it is the engine's business in both.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import math
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from time import monotonic
from types import CodeType, FrameType, FunctionType
from typing import Any

from resume import file_hooks, notices, rng
from resume.asking import Askable, Asking, Wishes
from resume.call import Call
from resume.custom import current_reducers, current_renames
from resume.engine import Engine
from resume.errors import CaptureError, CheckpointBusyError, RestoreError, ResumeError, StoreError
from resume.reentry.contexts import delegate
from resume.reentry.entering import Entering
from resume.reentry.fields import suspension_of
from resume.reentry.files import SLOT
from resume.reentry.given import Given, given_by
from resume.reentry.making import Making
from resume.reentry.program import Program
from resume.reentry.putting import define, definitions, prepare, put_back
from resume.reentry.records import FrameRecord, Postponed
from resume.reentry.roots import ProgramState
from resume.reentry.walking import Stack, generator_record, no_other_thread, root_of, walk
from resume.settings import Settings
from resume.snapshot import revive
from resume.standing import Generation, ProgramScenes, epoch_of
from resume.store import is_death
from resume.tracked import UndoLog, cut_back, marks_of_output
from resume.triggers import Schedule
from resume.types import Manifest
from resume.units import show_seconds

_LEAST_WORK = 9.0
"""Times as long as a save took, the program works before the next: saving takes a tenth at most."""
_BUSY_S = 0.05
"""After meeting a busy writer, look again after so many seconds."""


class Execution(Askable):
    """Saves a program that runs, at the places that it is asked at, and brings it back."""

    def __init__(
        self,
        program: Program,
        engine: Engine,
        settings: Settings,
        call: Call,
        *,
        code: Callable[[], Mapping[str, Any]],
        safe_points: Collection[Any] = (),
        entering: Entering | None = None,
        asking: Asking | None = None,
        undo: UndoLog | None = None,
    ) -> None:
        """Begin with nothing saved.

        Args:
            program: Its rewritten modules; more may be added while it runs.
            engine: Where its generations go: the line of the call was chosen.
            settings: What the user asked for.
            call: The arguments that the program was started with.
            code: Tells what its source is, for the manifest.
            safe_points: Callables by which it asks for a save itself.
            entering: What lets its frames go on, where that was made before.
            asking: What others ask for, where that was made before.
            undo: Keeps what files held, where they are to be put back.
        """
        self.engine = engine
        self._program, self.settings, self._call = program, settings, call
        self._code, self._safe_points = code, tuple(safe_points)
        self._entering = entering or Entering(program, where=suspension_of)
        self._given: Given | None = None
        self._state = self._new_state()
        self._schedule = Schedule(
            settings.rate, max_overhead=settings.max_overhead, max_loss=settings.max_loss
        )
        self.postponed: Counter[str] = Counter()
        """Why no save was made at some point, and how often."""
        self.skipped = 0
        """Due saves that met a busy writer, each once, however often it was looked at again."""
        self.is_off = False
        """Nothing can be saved any more, which was said."""
        self.asking = asking or Asking()
        """What others ask for; a timer looks at the sources."""
        self.is_left = False
        """It was saved to be left, and nothing is saved behind it: a rerun goes on from there."""
        self._undo = undo
        self._epochs: dict[int, int] = {}
        """By generation of this line: which time of the files began with it."""
        self._writes_since: float | None = None
        self._pause_s: float | None = None
        """Of a save whose writer's cost is not known yet."""
        self._due_at = self._schedule.first_due_at(monotonic())
        self._since_save = 0
        """Calls of `resume.sync()`."""
        self._is_busy = self._is_anew = self._is_put_off = False
        self._saved_at = monotonic()
        self._said: set[str] = set()

    @property
    def following(self) -> Callable[[], Callable[[], Any]]:
        """For residuals: returns what goes on with the next frame."""
        return self._entering.following

    def wait_s(self) -> float:
        """Seconds from now until the next save is due."""
        return max(0.0, self._due_at - monotonic())

    @property
    def _is_awaited(self) -> bool:
        """Whether it is not only time that asks: such a save waits for the writer."""
        nth = self.settings.iterations
        return self.asking.is_asked or (nth is not None and self._since_save >= nth)

    def wants_save(self, trigger: str) -> bool:
        """Whether a call of `resume.sync()`, which is counted, `resume.save()` or a line saves."""
        self._since_save += trigger == "sync"
        return trigger == "save" or self._is_awaited or self.wait_s() == 0.0

    def let_be_due_at(self, when: float) -> None:
        """Set the time of the first save, on the clock of `time.monotonic()`."""
        self._due_at = when

    def begin_anew(self) -> None:
        """The program begins at its beginning; `at_start` lets a save be due there."""
        if self.settings.at_start:
            self._due_at = -math.inf

    # -- saving

    def save(self, frame: FrameType, trigger: str, *, at_line: bool) -> bool:
        """Save the program where *frame* stands, if it can be gone on from there.

        One that is only due is skipped while the disk is busy with the one before; one that is
        asked for waits.

        Args:
            frame: The innermost frame of the program.
            trigger: What asked for it.
            at_line: The frame is at a line event; else it has called a safe point.

        Returns:
            Whether it is over: saved, skipped, or refused for good. False: the next point is to be
            tried.
        """
        if self.is_left and trigger != "save":
            self._say_left()
        if self.is_off or self.is_left or self._is_busy:
            return True
        self._is_busy = True  # reducers of the program may call a safe point
        try:
            return self._try(frame, trigger, at_line=at_line)
        finally:
            self._is_busy = False

    def _say_left(self) -> None:
        # who is asked to leave has cleaning up to do, which is no part of what a rerun goes on with
        if monotonic() >= self._due_at:
            self._say("the program goes on after it was to be left; this is not saved any more")

    def _try(self, frame: FrameType, trigger: str, *, at_line: bool) -> bool:
        is_by_time = trigger != "save" and self._schedule.is_by_time and not self._is_awaited
        if is_by_time and (self._meets_busy_writer() or self._is_early()):
            return True
        began, due_at = monotonic(), self._due_at
        wishes = self.asking.take()
        try:
            self._save(frame, wishes, trigger, at_line=at_line)
        except Postponed as why:
            self.asking.give_back(wishes)
            self.postponed[str(why)] += 1
            return False
        except (CaptureError, StoreError) as why:
            wishes.answer(None, why)
            self.is_off = isinstance(why, CheckpointBusyError)
            if self._is_raised and not wishes.leaves:
                self._rest(began)  # who goes on all the same is told again when it is due again
                raise
            self._say_failure(why)
        except BaseException as why:
            wishes.answer(None, why)
            raise
        else:
            if began > due_at:
                self.asking.gaps.note(began - due_at)
            self._answer(wishes)
        self._rest(began)
        if wishes.leaves:
            self.is_left = True
            raise wishes.way_out()
        return True

    def _answer(self, wishes: Wishes) -> None:
        if not self.engine.is_writing:
            self._note_durable()
        last = self.engine.last
        if not wishes or last is None:
            return
        wishes.answer(last.number)
        if wishes.leaves:
            notices.say(
                "%s: saved as generation %d (%s); run the program again to go on from there",
                self.engine.name, last.number, wishes.why,
            )  # fmt: skip

    def _note_durable(self) -> None:
        # the writer and the program may both find that it is done
        began, self._writes_since = self._writes_since, None
        if self.engine.has_failed:
            if self._is_raised:  # at the next statement, not when the next save is due
                self._due_at = -math.inf
                self.asking.wake()
        elif began is not None:
            self.asking.saves.note(monotonic() - began)

    def _say_failure(self, why: ResumeError) -> None:
        if self.is_off:
            self._say(f"{why} This run goes on, and saves nothing")
        else:
            self._say(f"could not save: {why}")

    def _meets_busy_writer(self) -> bool:
        if not self.engine.is_writing:
            return False
        now, is_first = monotonic(), not self._is_put_off
        self._is_put_off = True
        self.skipped += is_first
        self._due_at = now + _BUSY_S
        if is_first and self.skipped == 1:
            ago = show_seconds(now - self._saved_at)
            self._say(
                f"the disk is still busy with the save before (begun {ago} ago), so the one that "
                "is due waits; a longer rate asks for fewer"
            )
        return True

    def _is_early(self) -> bool:
        """Whether what the save before took, which is known by now, puts off the one that is due.

        Only `rate="auto"` depends on it.
        """
        if not self._schedule.is_auto or self.engine.has_failed:
            return False
        self._hear()
        self._due_at = max(self._due_at, self._schedule.due_at)
        return monotonic() < self._schedule.due_at

    def _rest(self, began: float) -> None:
        self._saved_at = now = monotonic()
        self._pause_s = now - began
        self._since_save = 0
        self._is_put_off = False
        self._due_at = max(
            self._schedule.next_due_at(now, now - began), now + _LEAST_WORK * (now - began)
        )

    def _say(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            notices.say("⚠ %s: %s", self.engine.name, text, level=logging.WARNING)

    def _save(self, frame: FrameType, wishes: Wishes, trigger: str, *, at_line: bool) -> None:
        if self._entering.has_frames_left:
            raise Postponed("frames of the saved state are still to be entered")
        no_other_thread(self._program)
        stack = self._walk(frame, at_line=at_line)
        self._hear()
        self._writes_since = monotonic()
        scenes = self._scenes(stack)
        number = self.engine.save_stack(
            scenes,
            self._call,
            trigger=wishes.trigger if wishes else trigger,
            reducers=current_reducers(),
            beside=self.settings.background and trigger != "save" and not wishes,
            extra=wishes.extra,
            when_done=self._note_durable,
        )
        if scenes.epoch is not None:
            self._epochs[number] = scenes.epoch
            file_hooks.listen(self._undo)
        for name, why in self._state.left_out.items():
            self._say(f"not saved: {name}: {why}. A rerun goes on without it")

    def _hear(self) -> None:
        """Wait for the save before; where it failed it is said, and this one is made all the same.

        Raises:
            CheckpointBusyError: Another run has taken the line meanwhile.
            StoreError: It failed, and `on_save_error="raise"` was asked for.
        """
        try:
            writer_s = self.engine.settle()
        except CheckpointBusyError:
            raise
        except StoreError as why:
            if self._is_raised:
                raise
            self._say(f"could not save: {why}")
            return
        if writer_s is not None and self._pause_s is not None:
            self._schedule.note_cost(self._pause_s, writer_s)
            self._pause_s = None

    @property
    def _is_raised(self) -> bool:
        """Whether a save that failed ends the program, unless that knows better."""
        return self.settings.on_save_error == "raise"

    def _walk(self, frame: FrameType, *, at_line: bool) -> Stack:
        return walk(
            self._program,
            frame,
            root=self._root(frame),
            at_line=at_line,
            safe_points=self._safe_points,
            passed_over=(delegate.__code__,),
            function=self._function(),
        )

    # -- what a single function does in another way

    def _new_state(self) -> ProgramState:
        return ProgramState(self._program, partial(generator_record, self._program))

    def _root(self, frame: FrameType) -> FrameType:
        root = root_of(self._program, "__main__", frame)
        if root is None:
            raise Postponed("no code of the main module is on the stack of this thread")
        return root

    def _function(self) -> FunctionType | None:
        """What the outermost frame runs; None: a module."""
        return None

    def _scenes(self, stack: Stack) -> ProgramScenes:
        self.engine.origin = replace(self.engine.origin, code=self._code())
        return ProgramScenes(self._state, stack, marks_of_output(), self._begin_epoch())

    def _begin_epoch(self) -> int | None:
        """From now on files are kept for a restore of the generation that is made now."""
        if self._undo is None:
            return None
        there = self.engine.store.numbers()
        self._epochs = {number: e for number, e in self._epochs.items() if number in there}
        try:
            self._undo.forget_before(min(self._epochs.values(), default=0))
        except OSError as why:
            self._say(f"what was kept of files stays in the checkpoint: {why}")
        if self._undo.failure is not None:
            self._say(
                f"what a file held could not be kept ({self._undo.failure}): after a kill it is "
                "not put back"
            )
        return self._undo.begin_epoch()

    # -- signals, some of it called by a handler

    def can_save(self) -> bool:
        """Whether the next safe point, whenever it comes, can be saved."""
        return not self.is_off and not self.is_left

    def expects_save(self, now: float) -> bool:  # noqa: ARG002
        """Whether it can, and is to be expected soon: each statement is one."""
        return self.can_save()

    def place(self) -> str:
        """Nobody knows what to call where the program stands."""
        return ""

    def saved_age_s(self) -> float | None:
        """Seconds since the last save; None: nothing is saved."""
        return None if self.engine.last is None else monotonic() - self._saved_at

    def has_left(self) -> bool:
        """Whether the code that would have come to a safe point has been left."""
        return self.is_off

    # -- restoring

    def newest(self) -> Generation | None:
        """Take the engine's line for this run, and read its newest whole generation.

        Raises:
            CheckpointBusyError: Another run holds it.
            IntegrityError: There are generations, and none is whole.
            RestoreError: The newest is not the state of a program.
        """
        self.engine.lock()
        found = self.engine.read_best()
        if found is None:
            self.engine.adopt(None)
            self.begin_anew()
            return None
        manifest, content = found
        self._refuse_foreign(manifest)
        return Generation(manifest, content)

    def _refuse_foreign(self, manifest: Manifest) -> None:
        if manifest.draft.position.get("door") != "stack":
            raise RestoreError(
                f"checkpoint {manifest.name!r} was saved by a Checkpoint in a program, or by a "
                "@resumable function, not by `resume run`. Nothing was changed. Give this run a "
                "name of its own (--name), or set the other aside (--fresh)"
            )

    def start_anew(self, why: str) -> None:
        """Begin a line of its own; what is there is set aside by the first save."""
        self.engine.lock()
        if self.engine.store.entries():
            notices.say(
                "%s: starting anew (%s); what was there is set aside", self.engine.name, why
            )
        self.engine.adopt(None)
        self._is_anew = True
        self.begin_anew()

    def definitions(self, generation: Generation, module: str) -> CodeType:
        """Return what a module runs in place of its code when it is imported on the way back."""
        return definitions(self._program, module, generation.layout, self._given_by(generation))

    def _given_by(self, generation: Generation) -> Given:
        if self._given is None:
            self._given = given_by(self._program, generation.content)
        return self._given

    def restore(self, generation: Generation) -> CodeType:
        """Bring the program back, and return what is to be executed as its main module.

        Raises:
            RestoreError: The state cannot be brought back; nothing is saved over it.
        """
        layout = generation.layout
        self._put_files_back(generation)
        try:
            prepare(layout)
            given = self._given_by(generation)
            define(self._program, "__main__", layout, given)
            for module in layout["modules"]:
                if module not in self._program:
                    importlib.import_module(module)
            for module, known in layout["modules"].items():
                if module != "__main__" and known.get("first"):
                    loaded = self._program[module]
                    exec(loaded.rewritten.recreation(known["first"]), loaded.namespace)  # noqa: S102
            given.end()
            self._given = None
            frames = self._frames(generation)
        except Exception as why:
            name, number = self.engine.name, generation.manifest.number
            told = f"what the program defines raised {type(why).__name__}: {why}. The generation "
            told += "is whole and stays; start anew with --fresh"
            told = str(why) if isinstance(why, ResumeError) else told
            raise RestoreError(f"generation {number} of {name!r}: {told}") from why
        self.engine.adopt(generation.manifest)
        self._say_where(generation, frames)
        for name in generation.layout["process"].get("left_out", ()):
            self._say(f"not saved, and not there now: {name}")
        self._entering.take(frames[1:])
        if generation.epoch is not None:
            file_hooks.listen(self._undo)
        return self._entering.module_code(frames[0])

    def _put_files_back(self, generation: Generation) -> None:
        """Make the files what they were at the save.

        Raises:
            RestoreError: The disk refused.
        """
        if generation.epoch is None:
            return
        if self._undo is None:
            self._say("it was saved with --undo-files; without it, files stay as they are")
            return
        name = self.engine.name
        try:
            undone = self._undo.put_back(generation.epoch)
        except OSError as why:
            raise RestoreError(
                f"generation {generation.manifest.number} of {name!r}: a file that the killed run "
                f"has changed behind it cannot be put back: {why}. The generation is whole and "
                "stays: mend that and run again, or start anew with --fresh"
            ) from why
        for lost in undone.lost:
            self._say(lost)
        if undone:
            notices.say("%s: files are as they were at the save (%s)", name, undone)
        found = {one.number: epoch_of(one) for one in self.engine.store.chain()}
        self._epochs = {number: epoch for number, epoch in found.items() if epoch is not None}

    def _frames(self, generation: Generation) -> list[FrameRecord]:
        making = Making(
            self._program, self._entering.begin_generator, self._entering.bring_to_yield
        )
        found = revive(
            generation.content, loops=0, live={}, own={SLOT: making}, rename=current_renames()
        )
        values = {**found.names, **found.hidden}
        frames = put_back(self._program, generation.layout, values, making)
        for why in cut_back(generation.output):
            self._say(why)
        rng.apply(found.random_state)
        if found.unordered_sets:
            self._say(
                f"{found.unordered_sets} of the saved sets cannot be made again exactly: their "
                "items come in another order (those that hash by their address always do)"
            )
        return frames

    def _say_where(self, generation: Generation, frames: Sequence[FrameRecord]) -> None:
        innermost = frames[-1]
        where = innermost.qualname if innermost.block else innermost.module
        notices.say(
            "↻ resuming %s at line %d of %s (generation %d)",
            self.engine.name, innermost.line, where, generation.manifest.number,
        )  # fmt: skip

    # -- the end

    def finish(self) -> None:
        """The program has ended well: nothing is left to go on from.

        What another run of that name has saved meanwhile stays, if this one never had the lock. So
        does what was saved for the program to be left: it has ended early.
        """
        was_busy = self.is_off
        self._end()
        if not self.is_left and not was_busy and (self._is_anew or self.engine.last is not None):
            with contextlib.suppress(CheckpointBusyError):  # another run has begun already
                self.engine.store.remove()

    def close(self, by: BaseException | None = None) -> None:
        """The program was cut short: the newest generation is what a rerun goes on from.

        Args:
            by: What ended it, unless somebody wanted it to end.
        """
        self._end(died=is_death(by))

    def _end(self, *, died: bool = False) -> None:
        self.is_off = True
        if self._undo is not None:
            file_hooks.listen(None)
        try:
            self.engine.close(lambda why: self._say(f"could not save: {why}"), died=died)
        finally:  # a signal that nobody could answer acts now: it must not end the wait above
            self.asking.close()
        self._entering.drop()
        often = sum(self.postponed.values())
        if often and self.engine.last is None:
            reason, count = self.postponed.most_common(1)[0]
            self._say(f"nothing was saved: {reason} ({count} of {often} times)")
