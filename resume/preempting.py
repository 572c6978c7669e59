"""A callable for another thread, which has the program saved and waits until that is durable."""

from __future__ import annotations

import _thread
import weakref
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any, Protocol, TypeAlias, final

from resume.asking import Asking
from resume.errors import ConfigError, ResumeError
from resume.frames import frame_at
from resume.results import SWITCHED_OFF, Deferred, Saved
from resume.settings import plain_json
from resume.triggers.asked import Asked
from resume.types import JSON
from resume.units import Duration, parse_seconds, show_seconds

Extra: TypeAlias = "Mapping[str, Any] | Callable[[], Mapping[str, Any]] | None"

_ENDED = Deferred("the checkpoint has ended: nothing can be saved any more")


class HookedRun(Protocol):
    """The run, as a hook sees it."""

    asking: Asking
    is_off: bool

    def has_ended(self) -> bool:
        """Whether nothing can be saved any more."""

    @property
    def handle(self) -> object:
        """What the user calls the checkpoint."""

    def is_own_thread(self) -> bool:
        """Whether the caller is the thread that saves."""

    def safe_point(self, caller: FrameType, trigger: str) -> Saved | Deferred:
        """A `sync()` of *caller*."""


@final
class PreemptHook:
    """Asks for a save, and waits for it: see `Checkpoint.preempt_hook`.

    It keeps nothing of the program alive.
    """

    __slots__ = ("_extra", "_get", "_grace_s")

    def __init__(self, run: HookedRun | None, extra: Extra = None, grace: Duration = "30s") -> None:
        """Remember *run*; None: nothing is ever saved in this process.

        Raises:
            ConfigError: An option has the wrong form; the text names it.
        """
        if extra is not None and not callable(extra):
            extra = _checked(extra)
        self._extra, self._grace_s = extra, parse_seconds(grace, "grace")
        self._get: Callable[[], HookedRun | None] | None = None if run is None else weakref.ref(run)

    def __call__(self, info: Any = None) -> Saved | Deferred:
        """Have the program saved at its next safe point, and wait until that is durable.

        From the thread that saves it is a safe point itself.

        Args:
            info: More for the manifest's `extra`; under `info`, where it is no mapping. What is no
                JSON goes in as its `repr`: a save must not fail for it.

        Returns:
            The generation, truthy; or a falsy record with the reason.
        """
        run = self._get() if self._get is not None else None
        if self._get is None or (run is not None and run.is_off):
            return SWITCHED_OFF
        if run is None or run.has_ended():
            return _ENDED
        waiting = _Waiting()
        run.asking.ask(
            Asked("preempt", "preempt_hook", extra=self._merged(info), answer=waiting.answer)
        )
        if run.is_own_thread():
            return _save_here(run, frame_at(1), waiting)
        if run.has_ended():  # since it was asked, so nobody answers
            waiting.answer(None, None)
        del run  # it may end while we wait
        return waiting.result(self._grace_s)

    def _merged(self, info: Any) -> dict[str, JSON]:
        extra = self._extra() if callable(self._extra) else self._extra
        more = info if isinstance(info, Mapping) else {} if info is None else {"info": info}
        return {str(key): _plain(value) for key, value in {**(extra or {}), **more}.items()}

    def __reduce__(self) -> tuple[Any, ...]:
        # A program may keep it among its variables: it comes back as one of the rerun's checkpoint.
        run = self._get() if self._get is not None else None
        return _hook_of, (None if run is None else run.handle, self._extra, self._grace_s)

    def __repr__(self) -> str:
        return f"<PreemptHook grace={show_seconds(self._grace_s)}>"


class _Waiting:
    """One that waits for an answer, from another thread or the same."""

    def __init__(self) -> None:
        self._latch = _thread.allocate_lock()
        self._latch.acquire()
        self._result: Saved | Deferred = _ENDED

    def answer(self, number: int | None, why: BaseException | None) -> None:
        """The save is durable, or failed."""
        if number is not None:
            self._result = Saved(number)
        elif why is not None:
            self._result = Deferred(f"the save failed: {why}")
        if self._latch.locked():
            self._latch.release()

    @property
    def is_over(self) -> bool:
        """Whether there is an answer."""
        return not self._latch.locked()

    def result(self, patience_s: float) -> Saved | Deferred:
        """Wait for the answer."""
        if self._latch.acquire(timeout=min(patience_s, _thread.TIMEOUT_MAX)):
            return self._result
        return Deferred(
            f"no safe point has come within {show_seconds(patience_s)}; the save is made at the "
            "next one"
        )


def _save_here(run: HookedRun, caller: FrameType, waiting: _Waiting) -> Saved | Deferred:
    try:
        done = run.safe_point(caller, "sync")
    except ResumeError as why:
        done = Deferred(f"nothing was saved: {why}")
    return waiting.result(0.0) if waiting.is_over else done


def _checked(extra: Mapping[str, Any]) -> dict[str, JSON]:
    plain = plain_json("extra", extra)
    if not isinstance(plain, dict):
        raise ConfigError(
            f"extra={extra!r}: give a mapping of names to JSON, or a callable that returns one"
        )
    return plain


def _plain(value: Any) -> JSON:
    try:
        return plain_json("info", value)
    except ConfigError:
        return repr(value)


def _hook_of(handle: Any, extra: Extra, grace_s: float) -> PreemptHook:
    """A hook of the checkpoint that *handle* is in this process."""
    if handle is None:
        return PreemptHook(None, extra, grace_s)
    made: PreemptHook = handle.preempt_hook(extra, grace_s)
    return made
