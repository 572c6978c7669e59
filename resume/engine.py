"""One save and one restore, step by step: snapshot to store, and store to snapshot."""

from __future__ import annotations

import gc
import logging
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from resume import notices
from resume.call import Call
from resume.errors import CheckpointBusyError, ConfigError, IntegrityError, StoreError
from resume.losses import Losses
from resume.pickling import Reducers, Spare
from resume.position import Position
from resume.settings import Settings, plain_json
from resume.snapshot import Scene, Snapshot, capture
from resume.store import DEATHS, Pending, Retention, Store
from resume.types import JSON, Content, Draft, Manifest, Skipped

NO_EXTRA: Mapping[str, JSON] = {}
_LIBRARIES = ("numpy", "torch", "pandas", "scipy", "sklearn", "jax", "cupy")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the owner's code comes from."""

    function: str
    file: str | None
    lineno: int | None
    code: Mapping[str, Any]
    """`fingerprint`, `python`, `source_digest`, `tree`, `source`."""


class Scenes(Protocol):
    """A program as it stands."""

    def scene(self) -> Scene:
        """What is to be captured."""

    def without(self, skipped: Sequence[Skipped]) -> None:
        """Leave those out of the scene; raises where one of them is needed."""

    def position(self) -> Position:
        """Where the program stands, and what of it is in the scene."""


class Engine:
    """Saves to and restores from one line of one store."""

    def __init__(self, folder: Path, name: str, settings: Settings, origin: Origin) -> None:
        self._settings = settings
        self.folder = folder
        self.origin = origin
        self.store = self._open(name)
        self._last: Manifest | None = None
        self._pending: Pending | None = None
        self._began_at = time.monotonic()
        self._elapsed_before_s = 0.0
        self._spare = Spare()
        self._sets = True
        self._shapes: dict[str, str] = {}
        self._losses = Losses(is_strict=settings.strict)

    def _open(self, name: str) -> Store:
        settings = self._settings
        retention = Retention(
            keep=settings.keep,
            keep_every=settings.keep_every,
            keep_best=settings.keep_best,
            expire_s=settings.expire_s,
        )
        return Store(
            self.folder,
            name,
            retention=retention,
            fsync=settings.fsync,
            compress=settings.compress,
            trust=settings.trust,
            memory_bytes=settings.memory_bytes,
        )

    @property
    def name(self) -> str:
        """Name of the store's line."""
        return self.store.name

    @property
    def last(self) -> Manifest | None:
        """The newest durable generation of this run's line; the next save's parent."""
        pending = self._pending
        if pending is not None and pending.is_done and pending.error is None:
            return pending.wait()
        return self._last

    @property
    def is_writing(self) -> bool:
        """Whether a save is on its way to the disk."""
        return self._pending is not None and not self._pending.is_done

    @property
    def has_failed(self) -> bool:
        """Whether the last save failed, and `settle` has not said so yet."""
        return self._pending is not None and self._pending.error is not None

    def settle(self) -> float | None:
        """Wait until the last save is durable; raise, once, what its writer met.

        Returns:
            Processor seconds of the writer; None where there was nothing to wait for.

        Raises:
            CheckpointBusyError, ConfigError, StoreError: The save failed.
        """
        pending = self._pending
        if pending is None:
            return None
        pending.settle()  # who interrupts this finds it again at the next call
        self._pending = None
        try:
            self._last = pending.wait()
            return pending.writer_s
        finally:
            del pending  # what it raises holds this frame: a cycle would keep the caller's alive

    def _find_interrupted(self) -> None:
        # A Ctrl-C may have left a save when all was handed over: the generation is there, and
        # retention may have removed its parent since.
        made = self.store.last_made()
        if made is not None and (self._last is None or made.number > self._last.number):
            self._last = made

    def close(self, tell: Callable[[BaseException], None], *, died: bool = False) -> None:
        """Give the line back once all is durable; *tell* is called with what went wrong.

        Who interrupts the wait does not stop the writing.

        Args:
            tell: Called with what the last save met.
            died: The run ends by an error; what it restored may be why.
        """
        pending, self._pending = self._pending, None
        self._spare = Spare()
        self.store.unlock(died=died)  # when the writer has ended
        if pending is not None:
            pending.when_done(lambda: tell(pending.error) if pending.error is not None else None)
            pending.settle()
            if pending.error is None and pending.is_done:
                self._last = pending.wait()

    def forget_writer(self) -> None:
        """In a forked child: the save that is on its way is the parent's."""
        self._pending = None

    def choose_line(self, call: Call) -> bool:
        """Open the line that belongs to *call*; tells whether its state is of that very call."""
        newest = self.store.newest()
        if newest is None or self._settings.args != "call":
            return True
        if newest.draft.call.get("digest", "") == call.digest:
            return True
        is_tied = newest.draft.complete or Position.from_json(newest.draft.position).has_loops
        if not is_tied:
            return False
        self.store = self._open(f"{self.store.name}@{call.digest[:8]}")
        return True

    def read_best(self) -> tuple[Manifest, Content] | None:
        """The newest whole generation that is to be restored now; the line is locked.

        What was passed over is said in one line each: what is damaged, and what runs have died of
        again and again, right after they restored it.

        Raises:
            IntegrityError: There are generations, and none is whole.
        """
        program = str(self.origin.code.get("fingerprint", ""))
        restores = self.store.restores
        deaths = {one: n for one, n in restores.deaths(program).items() if n >= DEATHS}
        found = self.store.read_best(
            rather_not=deaths, before=lambda manifest: restores.begin(manifest, program)
        )
        if found is None:
            return None
        manifest, content, passed_over = found
        if deaths:
            self._say_deaths(deaths, manifest)
        for reason in passed_over:
            notices.say(
                "⚠ %s: passed over a damaged generation (%s); going on from generation %s",
                self.name, reason, manifest.number, level=logging.WARNING,
            )  # fmt: skip
        return manifest, content

    def _say_deaths(self, deaths: Mapping[str, int], taken: Manifest) -> None:
        """Tell which generation is stepped over, or why none is."""
        path = self.store.restores.path
        for manifest in self.store.chain():
            if manifest.digest not in deaths or manifest.number < taken.number:
                continue
            count, number = deaths[manifest.digest], manifest.number
            if number == taken.number:
                notices.say(
                    "⚠ %s: %d runs died within a minute of restoring generation %d, and there is "
                    "none to step back to: it is restored again. To start anew, set it aside "
                    "(clean=True, `resume run --fresh`)", self.name, count, number,
                    level=logging.WARNING,
                )  # fmt: skip
                return
            notices.say(
                "⚠ %s: %d runs died within a minute of restoring generation %d: stepping back to "
                "generation %d. Generation %d stays on the disk; to try it again, delete %s before "
                "the next save", self.name, count, number, taken.number, number, path,
                level=logging.WARNING,
            )  # fmt: skip

    def read_base(self, manifest: Manifest) -> tuple[Manifest, Content] | None:
        """For a complete generation: the newest whole one before it that is not complete."""
        for earlier in self.store.chain():
            if earlier.number >= manifest.number or earlier.draft.complete:
                continue
            try:
                return earlier, self.store.read(earlier)
            except IntegrityError as why:
                notices.say("⚠ %s: %s", self.name, why, level=logging.WARNING)
        return None

    def adopt(self, manifest: Manifest | None) -> None:
        """Go on from *manifest*: the next save is its child. None: of nothing, in a new line."""
        if manifest is None:
            self.store.restores.end(died=False)  # none was restored after all
            self._last = None
            return
        self._last = manifest
        self._elapsed_before_s = manifest.draft.elapsed_s
        self._began_at = time.monotonic()

    def save(
        self,
        scene: Scene,
        position: Position,
        call: Call,
        *,
        trigger: str,
        reducers: Reducers,
        complete: bool = False,
        digest: Callable[[Any], str],
        extra: Mapping[str, JSON] = NO_EXTRA,
        beside: bool = False,
        when_done: Callable[[], None] = lambda: None,
    ) -> int:
        """Capture *scene* and commit it.

        Args:
            scene: What is alive now.
            position: Where the owner stands; whether its loops went by value is filled in here.
            call: The call that the state belongs to.
            trigger: What asked for the save.
            reducers: The user's own, by type.
            complete: The block has ended.
            digest: Gives the digest of a loop's last item.
            extra: For the manifest, beside the user's own.
            beside: Return when all is captured; `settle` tells how the writing went.
            when_done: Called then, from whatever thread.

        Returns:
            The number of the generation.

        Raises:
            CaptureError, StoreError: Nothing was written, the newest generation is as it was.
        """
        snapshot = self._begin(scene, reducers)
        self._losses.tell(snapshot, self.name)
        loops = tuple(
            replace(
                loop,
                by_value=by_value,
                item_digest=None if by_value else digest(scene.loops[depth].item),
            )
            for depth, (loop, by_value) in enumerate(
                zip(position.loops, snapshot.loops_by_value, strict=True)
            )
        )
        position = replace(position, loops=loops)
        draft = self._draft(snapshot, position, call, scene, trigger, complete=complete, more=extra)
        return self._write(snapshot, draft, beside=beside, when_done=when_done)

    def save_stack(
        self,
        scenes: Scenes,
        call: Call,
        *,
        trigger: str,
        reducers: Reducers,
        beside: bool,
        complete: bool = False,
        extra: Mapping[str, JSON] = NO_EXTRA,
        when_done: Callable[[], None] = lambda: None,
    ) -> int:
        """Capture the state of a program, and commit it.

        Args:
            scenes: What is alive now, and where the program stands.
            call: The arguments that it was started with.
            trigger: What asked for the save.
            reducers: The user's own, by type.
            beside: Return when all is captured; `settle` tells how the writing went.
            complete: It has ended.
            extra: For the manifest, beside the user's own.
            when_done: Called when it is durable or has failed, from whatever thread.

        Returns:
            The number of the generation.

        Raises:
            CaptureError, StoreError: Nothing was written, the newest generation is as it was.
        """
        snapshot = self._begin(scenes.scene(), reducers)
        while snapshot.encoded.skipped:
            scenes.without(snapshot.encoded.skipped)
            snapshot = self._capture(scenes.scene(), reducers)
        scene, position = scenes.scene(), scenes.position()
        draft = self._draft(snapshot, position, call, scene, trigger, complete=complete, more=extra)
        return self._write(snapshot, draft, beside=beside, when_done=when_done)

    def _begin(self, scene: Scene, reducers: Reducers) -> Snapshot:
        """Capture *scene* when the save before is durable, and known as this one's parent."""
        self.settle()
        self._find_interrupted()
        return self._capture(scene, reducers)

    def _write(
        self,
        snapshot: Snapshot,
        draft: Draft,
        *,
        beside: bool,
        when_done: Callable[[], None] = lambda: None,
    ) -> int:
        self.lock()
        encoded = snapshot.encoded
        save = self.store.begin if beside else self.store.save
        self._pending = save(draft, encoded.parts, encoded.buffers, parent=self._last)
        number = self._pending.number
        if self._pending.is_done:
            self.settle()
        else:
            self._pending.when_done(when_done)
        return number

    def _capture(self, scene: Scene, reducers: Reducers) -> Snapshot:
        # the hook that sees sets costs on dicts of atoms, so it stays on only while sets are there,
        # and comes back with a new name or type
        shapes = {name: type(value).__qualname__ for name, value in scene.names.items()}
        sets = self._sets or shapes != self._shapes
        snapshot = capture(
            scene,
            reducers=reducers,
            sets=sets,
            previews=self._settings.previews,
            spare=self._spare,
        )
        if sets:
            self._sets = snapshot.encoded.has_sets
        self._shapes = shapes
        return snapshot

    def _draft(
        self,
        snapshot: Snapshot,
        position: Position,
        call: Call,
        scene: Scene,
        trigger: str,
        *,
        complete: bool,
        more: Mapping[str, JSON],
    ) -> Draft:
        settings = self._settings
        extra = settings.extra
        if callable(extra):  # a copy: the program may go on changing it beside the writer
            extra = plain_json("extra", extra())
        if more:
            beside = {} if extra is None else {"extra": extra}
            extra = {**(extra if isinstance(extra, dict) else beside), **more}
        return Draft(
            trigger=trigger,
            elapsed_s=self._elapsed_before_s + time.monotonic() - self._began_at,
            complete=complete,
            base=self._base() if complete else None,
            function=self.origin.function,
            file=self.origin.file,
            lineno=position.line or self.origin.lineno,
            code=dict(self.origin.code),
            call=call.to_json() | {"passed": dict(snapshot.passed)},
            config=settings.config,
            extra=extra,
            position=position.to_json(),
            variables=snapshot.variables,
            environment=environment(),
            metric=_metric(settings.keep_best, scene.names),
        )

    def _base(self) -> int | None:
        """The generation that a rerun of the finished block goes on from."""
        last = self._last
        if last is None:
            return None
        return last.draft.base if last.draft.complete else last.number

    def lock(self) -> None:
        """Take the line for this run.

        Raises:
            CheckpointBusyError: Another process, or another run of this one, has it.
        """
        try:
            self.store.lock()
        except CheckpointBusyError:
            gc.collect()  # a handle in a cycle (self.chp of a dropped object) may still hold it
            self.store.lock()


def _metric(keep_best: str | None, names: Mapping[str, Any]) -> float | None:
    """The value that `keep_best=` ranks by, smaller is better; None before it is bound."""
    if keep_best is None or keep_best.lstrip("-") not in names:
        return None
    value = names[keep_best.lstrip("-")]
    try:
        metric = float(value)
    except (TypeError, ValueError) as why:
        raise ConfigError(
            f"keep_best={keep_best!r}: the variable holds {type(value).__qualname__}, no number"
        ) from why
    return -metric if keep_best.startswith("-") else metric


def environment() -> dict[str, Any]:
    """Where this process runs, for the manifest."""
    versions = {
        name: str(getattr(sys.modules[name], "__version__", "?"))
        for name in _LIBRARIES
        if name in sys.modules
    }
    return {
        "host": platform.node(),
        "pid": os.getpid(),
        "argv": list(getattr(sys, "argv", [])),
        "cwd": _cwd(),
        "python": platform.python_version(),
        "platform": _system(),
        "hash_seed": os.environ.get("PYTHONHASHSEED", "random"),
        "versions": versions,
    }


def _system() -> str:
    """What `platform.platform()` says, but for the processor.

    It starts a process to ask for that, which a program sees as the end of a child of its own.
    """
    released = platform.mac_ver()[0]
    named = ["macOS", released] if released else [platform.system(), platform.release()]
    library = platform.libc_ver() if platform.system() == "Linux" else ("", "")
    parts = [*named, platform.machine(), *(["with", "".join(library)] if all(library) else [])]
    return "-".join(filter(None, parts))


def _cwd() -> str:
    try:
        return str(Path.cwd())
    except FileNotFoundError as why:
        raise StoreError(f"the working folder was deleted ({why}): nothing was written") from why
