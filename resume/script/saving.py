"""What `resume run` saves, and how it goes on: the seam between a script and its generations.

A run that saves nothing and has nothing to go on from must not pay for the machinery: it is
imported by the timer's thread, when the first save is due, or where something was saved before.
"""

from __future__ import annotations

import _thread
import os
import re
import sys
from collections.abc import Mapping
from time import monotonic
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

from resume.asking import Askable, Asking
from resume.departing import leave_in_time, prepare_to_leave
from resume.errors import ResumeError
from resume.interpreter import unseen
from resume.place import folder_meant
from resume.points import ignore, listen
from resume.reentry import beginning
from resume.script.options import NoSaving, Running, RunOptions
from resume.triggers import hidden
from resume.triggers.signals import USUAL, Subscription, subscribe
from resume.triggers.signs import may_have_deadline
from resume.units import parse_seconds, parse_signals

if TYPE_CHECKING:
    from resume.engine import Engine
    from resume.execution import Execution
    from resume.reentry.iterators import Iteration
    from resume.script.telling import Teller

_RATE = "30s"
_OPENS_AFTER_S = 1.0
"""A program that ends before does not pay for what looks who wants a save."""
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_@-][A-Za-z0-9._@-]{,99}(?<!\.)")
"""The folder of such a checkpoint begins with its name."""


class ScriptSaving(Askable, NoSaving):
    """Saves the script that runs in this process."""

    def __init__(self, options: RunOptions) -> None:
        super().__init__(options)
        self._name = options.name or _name_of(options)
        self._first_s = 0.0 if options.at_start else _rate_s(options)
        self._began = monotonic()
        self._running: Running | None = None
        self._execution: Execution | None = None
        self._iteration: Iteration | None = None
        self._is_refused = False
        """The program is ended by us, which was said: there is no way on, or no save."""
        self._making = _thread.allocate_lock()
        self.asking = Asking()
        """What others ask for."""
        self._has_begun = False
        self._watch = _watched(options.watch)
        self._is_open = False
        """Whether a file and the cloud may ask, too."""
        self._teller = _teller()

    # -- before the program begins

    def hash_seed(self) -> str | None:
        """That of the saved state, if there is one."""
        if self.options.fresh or not self._may_have_state():
            return None
        newest = self._line().store.newest()
        if newest is None or newest.draft.position.get("door") != "stack":
            return None
        seed = str(newest.draft.environment.get("hash_seed", ""))
        return seed if seed.isdecimal() else None

    def _may_have_state(self) -> bool:
        """Whether a look into the folder of checkpoints is worth the time that it takes."""
        folder, _ = folder_meant(self.options.folder)
        try:
            names = os.listdir(folder)  # noqa: PTH208 - names are all that is asked
        except OSError:
            return False
        if not _PLAIN_NAME.fullmatch(self._name):
            return bool(names)
        return any(name.startswith(self._name) for name in names)

    def _line(self) -> Engine:
        from resume.script.machinery import line_of  # noqa: PLC0415 - see above

        return line_of(self._name, self.options)

    # -- what rewritten code calls

    def helpers(self) -> Mapping[str, Any]:
        """Iterators that can be saved, and what residuals call."""
        from functools import partial  # noqa: PLC0415

        return {
            **super().helpers(),
            "iterate": partial(_iterate, self),
            "following": self._following,
            "entered": _Late("contexts", "Entered"),
            "again": _Late("iterators", "again"),
            "delegate": _Late("contexts", "delegate"),
        }

    def iteration(self) -> Iteration:
        """What makes iterators, when the first unusual iterable is met."""
        if self._iteration is None:
            from resume.reentry.iterators import Iteration  # noqa: PLC0415 - see above

            assert self._running is not None
            self._iteration = Iteration(self._running.program())
        return self._iteration

    def _following(self) -> Any:
        assert self._execution is not None
        return self._execution.following()

    # -- the program runs

    def begin(self, code: CodeType, running: Running) -> CodeType:
        """Go on from the saved state, or from the beginning."""
        self._signals = self._subscribed()
        self.asking.add(self._signals)
        hidden.hide()
        if self.options.undo_files:
            from resume import file_hooks  # noqa: PLC0415 - see above

            file_hooks.install()
        self._running = running
        self._watch_the_clock()
        self._watch_the_cloud()
        self.asking.wake = self._wake
        beginning.note()
        listen(self._at_call, whole=True)
        if self._may_have_state():
            try:
                code = self._go_on(running) or code
            except ResumeError as why:
                self._is_refused = True
                sys.stderr.write(f"resume: {why}\n")
                raise SystemExit(why.exit_code) from None
        self._tell("begin")
        self._has_begun = True
        return code

    def _subscribed(self) -> Subscription:
        numbers = parse_signals(self.options.signals or "auto", "--signals")
        return subscribe(
            self,
            USUAL if numbers is None else numbers,
            exit_code=self.options.exit_code,
            delivers=False,
        )

    def _watch_the_clock(self) -> None:
        options = self.options
        if may_have_deadline(options.deadline):
            from resume import notices  # noqa: PLC0415 - logging: 5 ms

            notices.install(apart=True)
            leave_in_time(
                self.asking,
                None if options.deadline == "none" else options.deadline,
                options.before_end,
                options.requeue,
                exit_code=options.exit_code,
            )

    def _go_on(self, running: Running) -> CodeType | None:
        from resume.script.machinery import check_sources  # noqa: PLC0415 - see above

        execution = self.execution()
        if self.options.fresh:
            execution.start_anew("--fresh")
            return None
        generation = execution.newest()
        if generation is None:
            return None
        restart = check_sources(generation, running, self.options)
        if restart:
            execution.start_anew(restart)
            return None
        running.define_only(lambda name: execution.definitions(generation, name))
        try:
            return execution.restore(generation)
        finally:
            running.define_only(None)

    def prepare(self) -> None:
        """Import what saves."""
        import resume.script.machinery  # noqa: F401, PLC0415 - see above
        from resume.askers import prepare_watch  # noqa: PLC0415 - see above

        if self._watch is not None:
            prepare_watch()

        if may_have_deadline(self.options.deadline):
            prepare_to_leave()

    def make_ready(self) -> None:
        """Make what saves; the first call takes a while."""
        self.execution()

    def execution(self) -> Execution:
        """Return what saves the program."""
        if self._execution is not None:
            return self._execution
        with self._making:  # the timer's thread, and a program that asks for a save
            if self._execution is None:
                from resume.script.machinery import execution_of  # noqa: PLC0415 - see above

                assert self._running is not None
                made = execution_of(self._name, self.options, self._running, self.asking)
                if self._has_begun:  # else it may be that there is something to go on from
                    made.let_be_due_at(self._began + self._first_s)
                self._execution = made
            return self._execution

    def wait_s(self) -> float | None:
        """Seconds until the next save is due; None: no more saves."""
        execution = self._execution
        if execution is None:
            return max(0.0, self._began + self._first_s - monotonic())
        return None if execution.is_off else execution.wait_s()

    def _wake(self) -> None:
        if self.asking.is_asked and self._running is not None:
            self._running.ask()

    def poll_s(self) -> float:
        """Seconds until somebody has to be looked after again."""
        now, opens_at = monotonic(), self._began + _OPENS_AFTER_S
        if not self._is_open and now >= opens_at:
            self._let_others_ask()
        self.asking.poll(now)
        looks_at = self.asking.next_poll_at
        return (looks_at if self._is_open else min(looks_at, opens_at)) - now

    def _let_others_ask(self) -> None:
        # Nothing that has hooks for forks may be imported here, beside a program that may fork.
        from resume.triggers.request_file import RequestFile  # noqa: PLC0415 - see above

        self._is_open = True
        try:
            here = os.getcwd()  # noqa: PTH109 - pathlib costs the start 10 ms
        except FileNotFoundError:
            here = ""
        self.asking.add(RequestFile(self._name, self._own_folder, here, self._others))

    def _others(self) -> list[str]:
        from pathlib import Path  # noqa: PLC0415 - only where there is a file

        from resume.store import names_in_use  # noqa: PLC0415

        return names_in_use(Path(folder_meant(self.options.folder)[0]))

    def _own_folder(self) -> str | None:
        """The checkpoint's own folder; there is none before the first save."""
        return None if self._execution is None else str(self._execution.engine.store.place)

    def _watch_the_cloud(self) -> None:
        if self._watch is None:
            return
        from resume import notices  # noqa: PLC0415 - few programs watch
        from resume.askers import let_cloud_ask, prepare_watch  # noqa: PLC0415

        notices.install(apart=True)
        prepare_watch()
        let_cloud_ask(self.asking, self._watch)

    def at_point(self, frame: FrameType) -> bool:
        """Save here, if the program can be gone on from here."""
        self._signals.look(monotonic())
        if not self.execution().wants_save("line"):  # a call was faster
            return True
        return self._saved(frame, "sync", at_line=True)

    def _at_call(self, frame: FrameType, trigger: str) -> None:
        """Save in a call that the program makes: `resume.sync()`, `resume.save()`."""
        if self.options.iterations is not None:
            self.execution()  # counts them
        execution = self._execution
        if execution is None:  # nothing is imported for a save that is not due
            wanted = trigger == "save" or self.asking.is_asked or self.wait_s() == 0.0
        else:
            wanted = not execution.is_off and execution.wants_save(trigger)
        if wanted:
            self._saved(frame, trigger, at_line=False)

    def _saved(self, frame: FrameType, trigger: str, *, at_line: bool) -> bool:
        try:
            done = self.execution().save(frame, trigger, at_line=at_line)
        except ResumeError as why:  # --on-save-error=raise; no `except Exception` is to hide it
            self._is_refused = True
            sys.stderr.write(f"resume: {why}\n")
            raise SystemExit(why.exit_code) from None
        if done:
            self._tell("save")
        return done

    # -- signals, some of it called by a handler

    def can_save(self) -> bool:
        """Whether the next statement can be saved."""
        execution = self._execution
        return self._has_begun and (execution is None or execution.can_save())

    def expects_save(self, now: float) -> bool:  # noqa: ARG002
        """Whether it can."""
        return self.can_save()

    def place(self) -> str:
        """Nobody knows what to call where the program stands."""
        from resume import notices  # noqa: PLC0415 - see above

        notices.install(apart=True)  # it is about to be said
        return ""

    def saved_age_s(self) -> float | None:
        """Seconds since the last save; None: nothing is saved."""
        return None if self._execution is None else self._execution.saved_age_s()

    def has_left(self) -> bool:
        """Whether the program has ended, or can be saved no more."""
        return self._execution is not None and self._execution.has_left()

    def ended(self, raised: BaseException | None) -> None:
        """Remove what is saved, if the program ended well."""
        ignore(self._at_call)
        hidden.show()
        is_good = raised is None or (isinstance(raised, SystemExit) and raised.code in (None, 0))
        if self._execution is not None and is_good:
            self._execution.finish()
        elif self._execution is not None:
            self._execution.close(None if self._is_refused else raised)
        else:
            self.asking.close()
        self._tell("end")

    def _tell(self, event: str) -> None:
        if self._teller is None:
            return
        reasons = dict(self._running.reasons()) if self._running is not None else {}
        newest = None
        if self._execution is not None:
            newest = self._execution.engine.last
            for reason, count in self._execution.postponed.items():
                reasons[reason] = reasons.get(reason, 0) + count
        self._teller.tell(event, newest.number if newest is not None else None, reasons)


def _watched(said: str | None) -> str | None:
    cloud = said or os.environ.get("RESUME_WATCH")
    if not cloud:
        return None
    from resume.triggers.metadata import check_watch  # noqa: PLC0415 - few programs watch

    return check_watch(cloud)


def _teller() -> Teller | None:
    folder = os.environ.get("RESUME_PROOF")
    if not folder:
        return None
    from resume.script.telling import Teller  # noqa: PLC0415 - json: 3 ms

    return Teller(folder)


def _rate_s(options: RunOptions) -> float:
    """Seconds to the first save."""
    rate = options.rate or os.environ.get("RESUME_RATE") or _RATE
    if rate != "auto":
        return parse_seconds(rate, "--rate")
    from resume.triggers import Schedule  # noqa: PLC0415 - few ask for it

    return Schedule(rate, max_loss=options.max_loss or "5m").rate_s


def _name_of(options: RunOptions) -> str:
    if options.is_module:
        return options.target
    target = os.path.abspath(options.target)  # noqa: PTH100 - pathlib costs the start 10 ms
    return os.path.splitext(os.path.basename(target))[0]  # noqa: PTH119, PTH122


@unseen
def _iterate(saving, value):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 # pragma: no cover
    return saving.iteration().iterate(value)


class _Late:
    """A helper of residuals, imported when the first residual calls it."""

    def __init__(self, module: str, name: str) -> None:
        self._module, self._name = module, name
        self._found: Any = None

    def __call__(self, *given: Any) -> Any:
        if self._found is None:
            from importlib import import_module  # noqa: PLC0415

            self._found = getattr(import_module(f"resume.reentry.{self._module}"), self._name)
        return self._found(*given)
