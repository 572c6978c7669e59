"""`@resumable`: the next call of a function goes on where the last one was cut short."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from inspect import CO_GENERATOR
from threading import get_ident, main_thread
from types import FunctionType
from typing import Any, Literal, TypeVar, cast, overload

from resume import notices
from resume.call import Call, fill_name, item_of, rank
from resume.decorated.arguments import arguments_of, call_of, say_of_others
from resume.decorated.execution import CallExecution
from resume.decorated.held import Held
from resume.decorated.invocation import CachedCall, SavedCall
from resume.decorated.units import UNITS, home_of, refuse_unsuited
from resume.departing import leave_in_time
from resume.engine import Engine, Origin
from resume.errors import ConfigError
from resume.frames import frame_at
from resume.points import is_whole
from resume.reentry.wrappers import Invocation, wrapper
from resume.settings import Settings, check_settings, is_switched_off
from resume.sources import why_restart
from resume.standing import Generation
from resume.store import find_folder
from resume.triggers import Schedule
from resume.triggers.deadline import parse_deadline
from resume.units import Duration

F = TypeVar("F", bound=Callable[..., Any])

_REMEDY = 'on_change="restart", or clean=True, in @resumable(...)'
_said: set[tuple[str, str]] = set()


@overload
def resumable(function: F, /) -> F: ...


@overload
def resumable(
    *,
    name: str | None = ...,
    key: Callable[..., Any] | None = ...,
    cache: bool = ...,
    folder: str | os.PathLike[str] | None = ...,
    clean: bool = ...,
    rate: Duration | None = ...,
    iterations: int | None = ...,
    max_overhead: float = ...,
    max_loss: Duration = ...,
    at_start: bool = ...,
    deadline: Duration | datetime | None = ...,
    before_end: Duration | None = ...,
    requeue: Literal["slurm"] | None = ...,
    keep: int = ...,
    expire: Duration | None = ...,
    on_save_error: Literal["warn", "raise"] = ...,
    on_change: Literal["refuse", "restart"] = ...,
    background: bool = ...,
    memory: int | str = ...,
    previews: bool = ...,
    compress: str | int = ...,
    fsync: bool = ...,
    trust: bool | None = ...,
    signals: str | int | Iterable[str | int] | None = ...,
    exit_code: int | None = ...,
    watch: Literal["aws", "gcp", "azure"] | None = ...,
) -> Callable[[F], F]: ...


def resumable(
    function: F | None = None,
    /,
    *,
    name: str | None = None,
    key: Callable[..., Any] | None = None,
    cache: bool = False,
    folder: str | os.PathLike[str] | None = None,
    clean: bool = False,
    rate: Duration | None = None,
    iterations: int | None = None,
    max_overhead: float = 0.01,
    max_loss: Duration = "5m",
    at_start: bool = False,
    deadline: Duration | datetime | None = "auto",
    before_end: Duration | None = None,
    requeue: Literal["slurm"] | None = None,
    keep: int = 3,
    expire: Duration | None = "30d",
    on_save_error: Literal["warn", "raise"] = "warn",
    on_change: Literal["refuse", "restart"] = "refuse",
    background: bool = True,
    memory: int | str = "256MiB",
    previews: bool = True,
    compress: str | int = "auto",
    fsync: bool = True,
    trust: bool | None = None,
    signals: str | int | Iterable[str | int] | None = "auto",
    exit_code: int | None = None,
    watch: Literal["aws", "gcp", "azure"] | None = None,
) -> F | Callable[[F], F]:
    """Let a function go on in the middle of its loops and calls, when its program is run again.

    While a call runs it is saved every 30 seconds (`rate=`), at whatever statement it is; killed,
    and called again with equal arguments by the rerun, it continues there. When it returns, nothing
    is left behind; when it raises, the state stays for the next call.

    Saved are the frames of the function and of other `@resumable` functions that it calls, with all
    that they hold, and the random generators. The arguments, and what a closure holds, are restored
    in place. What modules hold stays as the rerun has made it, also where the function has changed
    it: give such objects to the function, or keep them in it. So do the settings of the process,
    and what was printed.

    A save waits while a function runs that is not decorated. A call below another resumable one has
    no checkpoint of its own. A generator function has none either: decorate it, and it is saved
    with the resumable function that uses it. Calls in other threads than the main one run as if
    they were not decorated. Under `resume run` the whole program is saved, so this does nothing,
    and nothing is cached. `resume.sync()` and `resume.save()` ask for a save at any depth.

    Not for `async` functions, nor for those whose source cannot be had. It is the innermost
    decorator, right above the `def`; of `@staticmethod` and `@classmethod` it may be the outer one.

    Args:
        function: What is decorated, where no options are given.
        name:
            Name of the checkpoint; the function's module and qualified name by default. May hold
            `{function}`, the names of simple arguments, `{rank}`, `{date}` and `{env:VAR}`; and
            `{key}`, the key of the item that a `ResumableSweep` works on. Each call with other
            arguments has a checkpoint of its own.
        key: Called with the arguments: returns text, numbers or a tuple of them by which one call
            is told from another. By default all arguments count, by value.
        cache: Keep the result: the next call with equal arguments returns it at once.
        folder: Folder of the checkpoints, as for `Checkpoint`; so is all that follows.
        clean: Set aside what is there, and begin anew.
        rate: Seconds between saves; 0 for as often as may be; `"auto"`: as `max_overhead` allows.
        iterations: Save at every n-th `resume.sync()`, too.
        max_overhead: With `rate="auto"`: the part of the run time that saves may take.
        max_loss: With `rate="auto"`: the longest time between two saves.
        at_start: Save at the first statement of a call that begins, too.
        deadline: When the program has to be gone; it saves ahead of it, and leaves by `Preempted`.
        before_end: How long ahead of it to leave.
        requeue: `"slurm"`: ask Slurm to start the job again when it leaves at its deadline.
        keep: Generations to keep.
        expire: Age at which a kept result is set aside, None for never; 30 days by default.
        on_save_error: `"warn"` says a failed save in one line and goes on; `"raise"` raises it at
            the next statement of the function, or of one that is saved with it.
        on_change: What to do where the source of a saved function has changed: `"refuse"` raises,
            with the difference; `"restart"` begins anew. A kept result is computed anew.
        background: Write in a thread beside the program.
        memory: Most memory for copies that wait for the disk: bytes, or text such as `"256MiB"`.
        previews: Show short texts of values in the manifest.
        compress: `"auto"` tries a sample, `"none"`, or a zstd level.
        fsync: Wait for the disk. Off survives a killed process, not a power cut.
        trust: Accept state that somebody else may have written.
        signals:
            Names or numbers of the signals that save and leave; see `Checkpoint`.
        exit_code: Status of a program that was left because of one; see `Checkpoint`.
        watch: The cloud that is asked whether the machine is taken away.

    Raises:
        UnsupportedCodeError: The function cannot be rewritten; the text says why, and what to do.
        ConfigError: An option is wrong; the text names it.
    """
    if on_change not in ("refuse", "restart"):
        raise ConfigError(f"on_change={on_change!r} is unknown: choose 'refuse' or 'restart'")
    begin = Beginning(
        name,
        key,
        cache,
        None if folder is None else os.fspath(folder),
        check_settings(
            clean=clean,
            rate=rate,
            iterations=iterations,
            max_overhead=max_overhead,
            max_loss=max_loss,
            at_start=at_start,
            deadline=deadline,
            before_end=before_end,
            requeue=requeue,
            at_finish=False,
            keep=keep,
            expire=expire,
            on_save_error=on_save_error,
            on_change=on_change,
            background=background,
            memory=memory,
            previews=previews,
            compress=compress,
            fsync=fsync,
            trust=trust,
            signals=signals,
            exit_code=exit_code,
            watch=watch,
        ),
    )
    if deadline not in (None, "auto"):
        parse_deadline(deadline)
    Schedule(  # raises where an option is wrong, and not when the function is called
        begin.settings.rate, iterations, max_overhead=max_overhead, max_loss=max_loss
    )
    if function is None:
        return begin.decorate
    return begin.decorate(function)


@dataclass(frozen=True, slots=True)
class Beginning:
    """The options of one decorator, and what it does when the function is called."""

    name: str | None
    key: Callable[..., Any] | None
    cache: bool
    folder: str | None
    settings: Settings

    def decorate(self, function: F) -> F:
        """Return what takes the place of *function*."""
        given: Any = function
        if is_whole() or is_switched_off():
            return function
        if isinstance(given, (staticmethod, classmethod)):
            return cast("F", type(given)(self.decorate(given.__func__)))
        return cast("F", wrapper(UNITS.rewritten(refuse_unsuited(given)), self))

    def __call__(
        self, function: FunctionType, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Invocation | None:
        """Begin a call that no other one waits for: go on with it, if it was cut short."""
        if is_switched_off() or _is_left_alone(function):
            return None
        arguments = arguments_of(function, args, kwargs)
        if arguments is None:
            return None
        notices.install()
        call = call_of(arguments, self.key, args, kwargs)
        held = Held(function, arguments)
        engine = self._engine(function, arguments, call)
        execution = CallExecution(function, frame_at(1), held, engine, self.settings, call)
        try:
            return self._invocation(execution, call, args, kwargs)
        except BaseException as why:
            execution.close(why)
            raise

    def _engine(self, function: FunctionType, arguments: Mapping[str, Any], call: Call) -> Engine:
        code = function.__code__
        home, shown = home_of(function), code.co_qualname.replace(".<locals>", "")
        default = shown if home == "__main__" else f"{home}.{shown}"
        name = default if self.name is None else fill_name(self.name, default, arguments)
        if rank() and "{rank}" not in (self.name or ""):
            name = f"{name}-rank{rank()}"
        if arguments:
            name = f"{name}@{call.digest[:8]}"
        file = None if code.co_filename.startswith("<") else os.path.realpath(code.co_filename)
        origin = Origin(code.co_qualname, file, code.co_firstlineno, {})
        engine = Engine(find_folder(self.folder)[0], name, self.settings, origin)
        if (item := item_of(self.name, arguments)) is not None:
            item.own(lambda: (str(engine.folder), engine.name))
        return engine

    def _invocation(
        self,
        execution: CallExecution,
        call: Call,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> Invocation:
        generation = self._generation(execution, call)
        if generation is not None and generation.manifest.draft.complete:
            return CachedCall(execution, generation)
        target = (
            execution.first(args, kwargs) if generation is None else execution.go_on(generation)
        )
        settings = self.settings
        leave_in_time(
            execution.asking,
            settings.deadline,
            settings.before_end,
            settings.requeue,
            exit_code=settings.exit_code,
        )
        saved = SavedCall(execution, target, cache=self.cache)
        saved.start()
        return saved

    def _generation(self, execution: CallExecution, call: Call) -> Generation | None:
        """Return what there is to go on from, if that is wanted and may be."""
        if self.settings.clean:
            execution.start_anew("clean=True")
            return None
        if not execution.engine.store.entries():
            say_of_others(execution.engine, call)
            execution.begin_anew()
            return None
        generation = execution.newest()
        if generation is None:
            return None
        complete = generation.manifest.draft.complete
        why = why_restart(
            generation.manifest,
            lambda unit, _: UNITS.fact_now(unit),
            may_restart=complete or self.settings.on_change == "restart",
            remedy=_REMEDY,
            remedy_of_python=_REMEDY,
        )
        if complete and not self.cache:
            why = why or "what is kept is a result"
        if why:
            execution.start_anew(why)
            return None
        return generation


def _is_left_alone(function: FunctionType) -> bool:
    """Whether a call runs as it is; it is said why, once for each function."""
    if function.__code__.co_flags & CO_GENERATOR:
        return _say_once(
            function,
            "it is a generator function, and has no checkpoint of its own: what it has given "
            "already would be missing. Use it in a @resumable function: it is saved with that one",
        )
    if get_ident() != main_thread().ident:
        return _say_once(function, "it was called in another thread than the main one")
    process: Any = sys.modules.get("multiprocessing.process")
    # A spawned child runs the parent's module again before it does anything of its own.
    return process is not None and getattr(process.current_process(), "_inheriting", False)


def _say_once(function: FunctionType, why: str) -> Literal[True]:
    known = (function.__qualname__, why)
    if known not in _said:
        _said.add(known)
        notices.install()
        notices.say("%s is not saved: %s", function.__qualname__, why)
    return True
