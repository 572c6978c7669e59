"""One call that is saved while it runs: what `Execution` does for a whole program."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import FrameType, FunctionType
from typing import Any

from resume import notices, rng
from resume.askers import let_cloud_ask, let_file_ask
from resume.call import Call
from resume.custom import current_reducers, current_renames
from resume.decorated.held import Held
from resume.decorated.units import ENTERING, UNITS
from resume.engine import Engine
from resume.errors import RestoreError, ResumeError, UnpicklableError
from resume.execution import Execution
from resume.points import save, sync
from resume.position import Position
from resume.reentry.files import SLOT
from resume.reentry.making import Making
from resume.reentry.putting import put_back
from resume.reentry.records import Postponed
from resume.reentry.reducers import Taking
from resume.reentry.roots import ProgramState
from resume.reentry.walking import Stack, called_by, generator_record
from resume.settings import Settings
from resume.snapshot import Revived, Scene, revive
from resume.sources import python_version
from resume.standing import Generation, ProgramScenes
from resume.types import Manifest, Skipped

_DOOR = "function"
_RESULT = "result"
_NOTHING: Mapping[str, Any] = {"modules": {}, "classes": [], "frames": []}


class CallExecution(Execution):
    """Saves one call of a function, and what it calls among other such functions."""

    def __init__(
        self,
        function: FunctionType,
        caller: FrameType | None,
        held: Held,
        engine: Engine,
        settings: Settings,
        call: Call,
    ) -> None:
        """Begin with nothing saved.

        Args:
            function: What is called.
            caller: The frame that calls it.
            held: What the two share.
            engine: Where its generations go.
            settings: What the user asked for.
            call: Its arguments.
        """
        self._called, self.caller, self._held = function, caller, held
        self._met: set[str] = set()
        """Units that were part of a saved state."""
        super().__init__(
            UNITS,
            engine,
            settings,
            call,
            code=dict,
            safe_points=(sync, save),
            entering=ENTERING,
        )

    def let_others_ask(self) -> None:
        """A file, and the cloud, may ask for saves from now on, until the call ends."""
        engine = self.engine
        let_file_ask(self.asking, engine.name, lambda: engine.store.place, engine.folder)
        if self.settings.watch is not None:
            let_cloud_ask(self.asking, self.settings.watch, self.settings.exit_code)

    def _new_state(self) -> ProgramState:
        return ProgramState(
            UNITS, partial(generator_record, UNITS), modules=(), shared=self._held.by_id()
        )

    def _root(self, frame: FrameType) -> FrameType:
        root = called_by(UNITS, self.caller, frame)
        if root is None:
            raise Postponed(f"`{self._called.__qualname__}` is not on the stack of this thread")
        return root

    def _function(self) -> FunctionType | None:
        return self._called

    def _scenes(self, stack: Stack) -> ProgramScenes:
        return _CallScenes(self._state, stack, self._held, self._note_sources)

    def _note_sources(self, units: Collection[str]) -> None:
        self._met.update(units)
        facts = {name: UNITS.facts[name] for name in sorted(self._met)}
        code = {"python": python_version(), "modules": facts}
        self.engine.origin = replace(self.engine.origin, code=code)

    # -- restoring

    def _refuse_foreign(self, manifest: Manifest) -> None:
        if manifest.draft.position.get("door") != _DOOR:
            raise RestoreError(
                f"checkpoint {manifest.name!r} was saved by `resume run` or a Checkpoint, not by a "
                "@resumable function. Nothing was changed. Give the function a name= of its own"
            )

    def first(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Callable[[], Any]:
        """Return what runs the call from its beginning."""
        return partial(self._called, *args, **kwargs)

    def go_on(self, generation: Generation) -> Callable[[], Any]:
        """Bring the call back, and return what runs it from there.

        Raises:
            RestoreError: The state cannot be brought back; nothing is saved over it.
        """
        making = self._making()
        found = self._revived(generation, making)
        frames = put_back(UNITS, generation.layout, {**found.names, **found.hidden}, making)
        self._held.refuse_stale(found.hidden)
        rng.apply(found.random_state)
        self.engine.adopt(generation.manifest)
        self._say_where(generation, frames)
        self._entering.take(frames)
        return self._entering.following()

    def _making(self) -> Making:
        begin, bring = self._entering.begin_generator, self._entering.bring_to_yield
        return Making(UNITS, begin, bring, shared=self._held.shared)

    def _revived(self, generation: Generation, making: Making) -> Revived:
        return revive(
            generation.content,
            loops=0,
            live=self._held.live(),
            externals=self._held.beside(_namespaces(), everything=True),
            own={SLOT: making},
            rename=current_renames(),
        )

    # -- a result that is kept

    def keep(self, result: Any) -> None:
        """Save what the function has returned, in place of what it was doing."""
        own = UNITS.unit_of(self._called.__code__)
        self._note_sources({own.name} if own is not None else ())
        try:
            self.engine.save_stack(
                _ResultScenes(self._held, result),
                self._call,
                trigger="finish",
                reducers=current_reducers(),
                beside=False,
                complete=True,
            )
        except ResumeError as why:
            self._say(f"could not keep the result: {why}")
            self.finish()
            return
        self._end()

    def result_of(self, generation: Generation) -> Any:
        """Return what the function had returned, its arguments and the random state as then."""
        making = self._making()
        found = self._revived(generation, making)
        making.finish()
        self._held.refuse_stale(found.hidden)
        rng.apply(found.random_state)
        notices.say("↻ %s: the result is kept from an earlier call", self.engine.name)
        return found.names[_RESULT]


def _namespaces() -> list[Mapping[str, Any]]:
    """Those of all modules that functions were decorated in."""
    return list({id(unit.namespace): unit.namespace for unit in UNITS}.values())


class _CallScenes(ProgramScenes):
    """A call as it stands."""

    door = _DOOR

    def __init__(
        self,
        state: ProgramState,
        stack: Stack,
        held: Held,
        note_units: Callable[[Collection[str]], None],
    ) -> None:
        super().__init__(state, stack)
        self._held, self._note_units = held, note_units

    def without(self, skipped: Sequence[Skipped]) -> None:
        """Leave those out; the caller brings what it has given."""
        brought = [skip for skip in skipped if self._held.leave_out(skip)]
        if not brought:  # else more may go by now: variables that hold the same objects
            super().without(skipped)

    def scene(self) -> Scene:
        """What is to be captured."""
        given = self._held.roots()
        return Scene(
            names={**given, **self._taken.roots},
            held=list(given),
            shares_rest=False,
            beside=self._held.beside(_namespaces()),
            look=self._taken.look,
        )

    def position(self) -> Position:
        """Where the call stands; the source of all that is part of it is noted."""
        self._note_units({*self._taken.met, *(one.module for one in self._stack.every)})
        return super().position()


class _ResultScenes:
    """A call that has returned."""

    def __init__(self, held: Held, result: Any) -> None:
        self._held, self._result = held, result
        record = partial(generator_record, UNITS)
        self._look = Taking(UNITS, record, shared=held.by_id()).look

    def without(self, skipped: Sequence[Skipped]) -> None:
        """Leave those out; the caller brings what it has given."""
        brought = [skip for skip in skipped if self._held.leave_out(skip)]
        if not brought:
            raise UnpicklableError(
                f"cannot save {skipped[0].path} (a {skipped[0].type}): {skipped[0].why}. It is "
                "computed again next time"
            )

    def scene(self) -> Scene:
        """What is to be captured."""
        given = self._held.roots()
        return Scene(
            names={**given, _RESULT: self._result},
            held=list(given),
            shares_rest=False,
            beside=self._held.beside(_namespaces()),
            look=self._look,
        )

    def position(self) -> Position:
        """Nowhere any more."""
        return Position(door=_DOOR, program={"layout": _NOTHING, "output": [], "stack": []})
