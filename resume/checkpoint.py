"""The user's handle: three lines that make a function, a script or an object survive a kill."""

from __future__ import annotations

import os
import sys
import weakref
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, MutableMapping
from datetime import datetime
from pathlib import Path
from time import monotonic
from types import CodeType, FrameType, TracebackType
from typing import Any, Final, Literal, TypeAlias, TypeVar, cast, final

from resume import notices, registry
from resume.call import argument_values, fill_name, is_simple, item_of, rank, record_call
from resume.custom import add_types, current_reducers, current_renames
from resume.departing import leave_in_time
from resume.engine import Engine, Origin
from resume.errors import CheckpointBusyError
from resume.frames import (
    fingerprint,
    frame_at,
    is_function_frame,
    loop_tree,
    read_locals,
    source_digest,
    source_of,
)
from resume.listening import listen
from resume.null import NullCheckpoint
from resume.owner import (
    FrameOwner,
    NamespaceOwner,
    ObjectOwner,
    Owner,
    is_interactive,
    runs_interactively,
)
from resume.preempting import PreemptHook
from resume.results import NOT_DUE, Deferred, Restored, Saved
from resume.run import Run
from resume.settings import DEFAULTS, check_settings, is_switched_off
from resume.store import find_folder
from resume.types import JSON
from resume.units import Duration, show_seconds

_DEFAULT: Final = "default"
Signals: TypeAlias = "str | int | Iterable[str | int] | None"
_Method = TypeVar("_Method", bound=Callable[..., Any])


class _Lookup:
    """A method that is told when it is looked up, before its argument is evaluated.

    Only so can an iterable that draws random numbers in its expression be told from one that does
    not (tests/unit/frames/test_expressions.py).
    """

    def __init__(self, method: Callable[..., Any]) -> None:
        self._method = method
        self.__doc__ = method.__doc__
        self.__wrapped__ = method

    def __get__(self, handle: Any, kind: type | None = None) -> Any:
        if handle is None:
            return self._method
        handle._run.look_up(frame_at(1))  # noqa: SLF001 - of the same class
        return self._method.__get__(handle, kind)


def _noting_lookup(method: _Method) -> _Method:
    return cast("_Method", _Lookup(method))


@final
class Checkpoint(MutableMapping[str, Any]):
    """Keeps the variables of the function (or script) that makes it, so that a rerun goes on.

    Make it first in the function, set the variables up, call `restore()`, then loop with `loop()`
    or call `sync()` as the last statement of a `while` body.

    All times are seconds as numbers, text such as `"5m"`, or `timedelta`.

    Args:
        name:
            Name of the checkpoint in its folder; the function's qualified name or the script's stem
            by default. May hold `{function}`, the names of simple arguments, `{rank}`, `{date}` and
            `{env:VAR}`; and `{key}`, the key of the item that a `ResumableSweep` works on.
        of: Save this object instead of the function's variables; what classes want (`of=self`).
        folder:
            Folder of the checkpoints. Default: `RESUME_DIR`, else the nearest `.checkpoints` here
            or above up to the root of the version-controlled tree, else a new one here.
        clean: Set aside what is there and start anew.
        rate: Seconds between throttled saves; 0 at every safe point; `"auto"`: as often as
            `max_overhead` allows.
        iterations: Save at every n-th safe point too.
        max_overhead:
            With `rate="auto"`: the part of the run time that saves may take, over the whole run.
        max_loss:
            With `rate="auto"`: the longest time between two saves. Where it and `max_overhead`
            cannot both hold, this one does.
        at_start: Save at `restore()` too.
        at_finish: Save at the end of a `with` block.
        deadline:
            When the program has to be gone: it saves at a safe point ahead of it, and leaves by
            `Preempted`. `"auto"`: what `RESUME_DEADLINE` or the scheduler tells; how long the
            process may run, from its start (`"23h30m"`); a `datetime`, local time where it names no
            zone; None: never.
        before_end:
            How long ahead of the deadline to leave; default: `RESUME_BEFORE_END`, else 5 minutes.
            Where the way to the next safe point and two saves have been measured to take longer, it
            is that.
        requeue:
            `"slurm"`: when it leaves at its deadline, `scontrol requeue` starts the job again.
            Default: `RESUME_REQUEUE`, else nobody is asked.
        include: Names to restore in place, because others hold the same objects.
        exclude: Names or patterns to leave out; the rerun's own values stay.
        args:
            `"call"`: another call of the function keeps its own arguments (and its own state, once
            there are loops to lead back to); `"caller"`: the caller's arguments always stand;
            `"saved"`: the saved ones do.
        config: JSON-like; a rerun with another one is refused, with the differences.
        overridable: Patterns of config entries that may differ (`"train.epochs"`, `"log.*"`).
        extra: JSON, or a callable that gives it, for the manifest; never restored.
        keep: Generations to keep.
        keep_every: Keep every n-th generation for ever, too.
        keep_best: Keep the generation with the least value of this variable; `"-name"`: the most.
        expire: Age at which a complete state is set aside, None for never. Interrupted ones stay.
        strict: A variable that cannot be saved raises `UnpicklableError` instead of a warning.
        on_save_error: `"warn"` says a failed save in one line and goes on; `"raise"` raises.
        on_change: What to do where the function's loops have changed: `"refuse"`, `"continue"`,
            `"restart"`.
        background: Write in a thread beside the program; off: each save waits for the disk. With
            `rate=0` and `iterations=` a save waits for the one before, instead of being skipped.
        memory: Most memory for copies that wait for the disk: bytes, or text such as `"256MiB"`.
            Apart from that, a state of many small objects keeps 24 to 48 bytes for each of them
            from one save to the next, 256 MiB at most.
        previews: Show short texts of built-in values in the manifest (secrets are masked).
        compress: `"auto"` tries a sample, `"none"`, or a zstd level.
        fsync: Wait for the disk. Off survives a killed process, not a power cut.
        trust: Accept state that somebody else may have written.
        signals:
            Names or numbers of the signals that save at the next safe point and leave; a second one
            acts as without a checkpoint. `"auto"`: SIGINT (Ctrl-C) and SIGTERM, but none at a
            prompt, in a notebook or a debugger. Empty for none. Only in the main thread.
        exit_code:
            Status of a program that was left because of one; else that of a Ctrl-C, or 143.
        watch: `"aws"`, `"gcp"` or `"azure"`: ask the cloud's metadata service once a second whether
            the machine is taken away; then save, and leave by `Preempted` (with `exit_code`).

    Raises:
        ConfigError: A parameter is wrong; the text names it.
        CheckpointBusyError: The same checkpoint is live in this process already.
    """

    CACHE_EXPIRE: Duration | None = DEFAULTS["expire"]
    """Default of `expire`."""

    __slots__ = ("__weakref__", "_run")

    def __new__(cls, name: str | None = None, **_options: Any) -> Checkpoint:
        """A checkpoint, or a `NullCheckpoint` where this process is not to save."""
        why = _why_off(frame_at(1))
        if why is None:
            return super().__new__(cls)
        if why:
            notices.install()
            notices.say("%s", why)
        return cast("Checkpoint", NullCheckpoint(name))

    def __init__(
        self,
        name: str | None = None,
        *,
        of: object = None,
        folder: str | os.PathLike[str] | None = None,
        clean: bool = False,
        rate: Duration | None = None,
        iterations: int | None = None,
        max_overhead: float = 0.01,
        max_loss: Duration = "5m",
        at_start: bool = False,
        at_finish: bool = True,
        deadline: Duration | datetime | None = "auto",
        before_end: Duration | None = None,
        requeue: Literal["slurm"] | None = None,
        include: Collection[str] = (),
        exclude: Collection[str] = (),
        args: Literal["call", "caller", "saved"] = "call",
        config: Any = None,
        overridable: Collection[str] = (),
        extra: JSON | Callable[[], JSON] = None,
        keep: int = 3,
        keep_every: int | None = None,
        keep_best: str | None = None,
        expire: Duration | None = _DEFAULT,
        strict: bool = False,
        on_save_error: Literal["warn", "raise"] = "warn",
        on_change: Literal["refuse", "continue", "restart"] = "refuse",
        background: bool = True,
        memory: int | str = "256MiB",
        previews: bool = True,
        compress: str | int = "auto",
        fsync: bool = True,
        trust: bool | None = None,
        signals: Signals = "auto",
        exit_code: int | None = None,
        watch: Literal["aws", "gcp", "azure"] | None = None,
    ) -> None:
        notices.install()
        registry.raise_unreported()
        settings = check_settings(
            clean=clean,
            rate=rate,
            iterations=iterations,
            max_overhead=max_overhead,
            max_loss=max_loss,
            at_start=at_start,
            at_finish=at_finish,
            deadline=deadline,
            before_end=before_end,
            requeue=requeue,
            include=include,
            exclude=exclude,
            args=args,
            config=config,
            overridable=overridable,
            extra=extra,
            keep=keep,
            keep_every=keep_every,
            keep_best=keep_best,
            expire=type(self).CACHE_EXPIRE if expire == _DEFAULT else expire,
            strict=strict,
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
        )
        frame = frame_at(1)
        place, is_above = find_folder(None if folder is None else os.fspath(folder))
        runs: list[Run] = []
        owner = _owner(frame, of, lambda: runs[0].owner_ended())  # noqa: PLW0108 - no run yet
        given = _arguments(frame)
        arguments = given if isinstance(owner, FrameOwner) else {}
        self._run = Run(
            handle=self,
            handle_type=type(self),
            owner=owner,
            engine=Engine(
                place, _name(name, owner, frame, given), settings, _origin(owner, frame, place)
            ),
            settings=settings,
            call=record_call(arguments),
            passed={key: value for key, value in arguments.items() if not is_simple(value)},
            reducers=current_reducers,
            rename=current_renames,
            found_above=place if is_above else None,
            is_interactive=runs_interactively(frame),
        )
        runs.append(self._run)
        if (item := item_of(name, given)) is not None:
            engine = self._run.engine
            item.own(lambda: (str(engine.folder), engine.name))
        leave_in_time(
            self._run.asking,
            settings.deadline,
            settings.before_end,
            settings.requeue,
            exit_code=settings.exit_code,
        )
        _enlist(self._run, frame)
        listen(self._run, self._run.asking, settings, frame)

    # --- the three lines -----------------------------------------------------------------------

    def restore(self) -> Restored:
        """Bring the saved variables back, or start fresh where there are none.

        Call it behind the statements that set the variables up, and in front of the loop.

        Returns:
            A record of what came back, falsy for a fresh start.

        Raises:
            CheckpointBusyError: Another process, thread or call holds the checkpoint.
            IntegrityError: There are generations, and none is whole.
            TrustError: The files may have been written by somebody else.
            RestoreError: The generation is whole and does not fit the program.
        """
        return self._run.restore(frame_at(1))

    def sync(self) -> Saved | Deferred:
        """A safe point: save if a save is due. Costs about a clock read where none is.

        A save stops the program while what changed is found and copied; the disk is written to
        beside it. One that is due by time while the disk is still busy with the last is skipped.

        Returns:
            The generation where one was saved (`is_durable` tells whether it is on the disk by
            now), else a falsy record with the reason.

        Raises:
            ConfigError: `restore()` was forgotten, or the function has returned.
            CaptureError: The state cannot be captured exactly.
            StoreError: The save before failed, and `on_save_error="raise"` was asked for.
        """
        if monotonic() < self._run.due_at:
            return NOT_DUE
        return self._run.safe_point(frame_at(1), "sync")

    def save(self, **values: Any) -> Saved | Deferred:
        """Save now, and wait for the disk; inside a `loop`, at the end of the item, beside it.

        Args:
            **values: Named values for the state, the same as `chp["k"] = v` before it.

        Returns:
            The generation, durable; falsy with the reason where the save waits or failed.

        Raises:
            As `sync()`.
        """
        return self._run.safe_point(frame_at(1), "save", values)

    def preempt_hook(
        self,
        extra: Mapping[str, Any] | Callable[[], Mapping[str, Any]] | None = None,
        grace: Duration = "30s",
    ) -> PreemptHook:
        """A callable for another thread, such as a cloud monitor's: it has the program saved.

        `hook(info)` asks for a save, and waits for the durable generation. It may be called from
        any thread at any time, and any number of times; the program goes on behind the save.

        Args:
            extra: Goes into the manifest's `extra`, as `info` does: a mapping of names to JSON, or
                a callable that gives it when the hook is called.
            grace: Seconds that the hook waits. The save is made later all the same.

        Returns:
            The hook; it returns the generation, or a falsy record with the reason (no safe point in
            time, the save failed, the checkpoint has ended). It keeps nothing alive.

        Raises:
            ConfigError: `extra` is no JSON, or `grace` no duration.
        """
        return PreemptHook(self._run, extra, grace)

    @_noting_lookup
    def loop(self, iterable: Any, *, name: str | None = None) -> Iterator[Any]:
        """The iterable of a `for` statement that a rerun continues at the next item.

        It stands in the owner's own code, at its top level or directly inside another `chp.loop`,
        and syncs after each item.

        Args:
            iterable: What to loop over; a callable is called for it (what draws random numbers or
                reads changing data has to be one: `chp.loop(lambda: rng.permutation(n))`).
            name: Key of the loop that survives any edit of the code.

        Raises:
            ConfigError: It stands where it cannot be led back to; the text holds the rewrite.
            RestoreError: On the way back: the program took another turn, or has other items.
        """
        return cast("Iterator[Any]", self._run.loop(iterable, name, frame_at(1)))

    def __enter__(self) -> Checkpoint:
        self._run.in_block = True
        self._run.restore(frame_at(1))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> Literal[False]:
        try:
            if kind is None:
                self._run.finish(frame_at(1))
            else:
                self._run.was_cut_short = True
        finally:
            self._run.close(by=error)
        return False

    # --- looking -------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """Name of the line that this call restores from and saves to."""
        return self._run.engine.name

    @property
    def resuming(self) -> bool:
        """Whether the statements that run now only lead back to the saved place."""
        return self._run.resuming

    @property
    def complete(self) -> bool:
        """Whether the `with` block has reached its end, in this run or an earlier one."""
        return self._run.complete

    def __repr__(self) -> str:
        last = self._run.engine.last
        if self._run.engine.is_writing:
            return f"<Checkpoint {self.name} a generation is being written>"
        if last is None:
            return f"<Checkpoint {self.name} not saved yet>"
        ago = show_seconds(monotonic() - self._run.saving.saved_at)
        state = "complete" if self.complete else "resuming" if self.resuming else f"{ago} ago"
        return f"<Checkpoint {self.name} gen={last.number} {state}>"

    # --- named values --------------------------------------------------------------------------

    def __getitem__(self, key: str) -> Any:
        return self._run.values[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._run.values[key] = value

    def __delitem__(self, key: str) -> None:
        del self._run.values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._run.values)

    def __len__(self) -> int:
        return len(self._run.values)

    def __bool__(self) -> Literal[True]:
        return True

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    @staticmethod
    def add_types(
        table: Mapping[type, Callable[[Any], Any]] | None = None,
        *,
        rename: Mapping[str, str] | None = None,
    ) -> None:
        """Tell how objects of a type are saved, and where classes have moved.

        Args:
            table: Type to a function that reduces an instance as `__reduce__` does:
                `{Pool: lambda pool: (Pool, (pool.size,))}`.
            rename: Full old name to full new name: `{"old.Model": "new.Model"}`.

        Raises:
            ConfigError: An entry has the wrong form.
        """
        add_types(table, rename=rename)


def _why_off(frame: FrameType) -> str | None:
    """None to save; a text (perhaps empty) where this process is not to."""
    if is_switched_off():
        return ""
    if is_function_frame(frame) or not _is_multiprocessing_child():
        return None
    return "checkpoints of the main program are off in this multiprocessing child"


def _is_multiprocessing_child() -> bool:
    # A spawned child runs the parent's module before it knows its parent: 3.11 to 3.13 mark the
    # process as inheriting meanwhile (tests/e2e/test_bad_store.py proves both).
    process = sys.modules.get(
        "multiprocessing.process"
    )  # where it is not imported, this is no child
    if process is None:
        return False
    inherits = getattr(process.current_process(), "_inheriting", False)
    return process.parent_process() is not None or bool(inherits)


def _owner(frame: FrameType, of: object, on_end: Callable[[], None]) -> Owner:
    if of is not None:
        return ObjectOwner(of)
    if is_function_frame(frame):
        return FrameOwner(frame, on_end)
    return NamespaceOwner(frame)


def _arguments(frame: FrameType) -> dict[str, Any]:
    """What the function that makes the checkpoint was given; also where an object is saved."""
    return argument_values(frame.f_code, read_locals(frame)) if is_function_frame(frame) else {}


def _name(name: str | None, owner: Owner, frame: FrameType, arguments: Mapping[str, Any]) -> str:
    default = owner.title
    if isinstance(owner, NamespaceOwner):
        file = frame.f_code.co_filename
        default = "main" if file.startswith("<") else Path(file).stem
        default = "notebook" if is_interactive(frame.f_code) else default
    filled = fill_name(name, default, arguments) if name is not None else default
    if rank() and "{rank}" not in (name or ""):
        notices.say("%s: rank %d saves to a checkpoint of its own", filled, rank())
        filled = f"{filled}-rank{rank()}"
    return filled


def _origin(owner: Owner, frame: FrameType, place: Path) -> Origin:
    code: CodeType = owner.code or frame.f_code
    source = source_of(code)
    facts: dict[str, Any] = {
        "fingerprint": fingerprint(code),
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "source_digest": source_digest(source) if source else None,
        "tree": loop_tree(code),
        "source": source,
    }
    if isinstance(owner, ObjectOwner) or is_interactive(code):
        facts = {}
    return Origin(owner.title, _file(code, place), code.co_firstlineno, facts)


def _file(code: CodeType, place: Path) -> str | None:
    if code.co_filename.startswith("<") or is_interactive(code):
        return None
    file = Path(code.co_filename).resolve()
    try:
        return str(file.relative_to(place.resolve().parent))
    except ValueError:
        return str(file)


def _enlist(run: Run, frame: FrameType) -> None:
    """Make *run* known in this process, or refuse where the same one is live."""
    registry.close_dead(lambda other: isinstance(other, Run) and other.is_same_place(run))
    other = registry.find(lambda other: isinstance(other, Run) and other.is_same_place(run))
    if isinstance(other, Run) and other.yields_to(run, interactive=is_interactive(frame.f_code)):
        other.close()
        other = None
    if isinstance(other, Run) and not isinstance(run.owner, ObjectOwner):
        raise CheckpointBusyError(
            f"checkpoint {run.title!r} of {run.owner.title} is live already: {other.owner.title} "
            "made it and has not ended (recursion, another thread, or two checkpoints of one "
            "name). Give this one a name of its own: Checkpoint(name='...-{depth}'), with an "
            "argument that tells them apart"
        )
    is_object = isinstance(run.owner, ObjectOwner)
    registry.add(run, weakly=is_object)
    if is_object:  # it ends when the program drops it, and nobody says so
        engine = run.engine
        weakref.finalize(run, lambda: engine.store.unlock()).atexit = False  # noqa: PLW0108
