"""`ResumableSweep`: many independent items, each recorded once, whatever dies in between."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import weakref
from collections.abc import Callable, Hashable, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Any, Literal, Self, TypeAlias

from resume import notices
from resume.call import fill_name
from resume.errors import ConfigError, SweepError
from resume.frames import frame_at
from resume.settings import check_settings, is_switched_off
from resume.store import encode_name, find_folder
from resume.sweep import payload, source
from resume.sweep.keys import shown
from resume.sweep.launch import Launch
from resume.sweep.ledger import AGAIN, ASIDE, DONE, FAILED, PENDING, Ledger
from resume.sweep.log import LOG_NAME
from resume.sweep.results import Failure, Results
from resume.units import Duration, parse_seconds, show_seconds

Signals: TypeAlias = "str | int | Iterable[str | int] | None"

_CHANGES = ("refuse", "continue")


class ResumableSweep:
    """Many independent items: a relaunch replays those that are finished, and runs only the rest.

    Under `RESUME_DISABLE=1` no log is read or kept, here or elsewhere: all items are pending, and
    the results are gone with the program.

    Args:
        items: What is to be done, in order; any objects. They are kept in memory, results are not.
        key: Gives the unique id of an item: text, a number, or what JSON can say. By default the
            item itself where it is short, else a digest of its value.
        checkpoint_path: A file of yours that the sweep belongs to; the log lies beside it, as
            `<checkpoint_path>.sweep.jsonl`. By default it lies in the folder of checkpoints.
        name: What the sweep is called; by default the name of `checkpoint_path` or of the script.
        folder: Folder of checkpoints, as for `Checkpoint`.
        resume_from: A log elsewhere: its path, a folder that it lies in (such as a `snapshot_dir`),
            or the address of either, `file://` or `http(s)://`. What it has more than the log here
            is taken in, all or nothing; it stays as it is. Where both have a result, that of the
            log here stands. There may be none yet.
        snapshot_dir: Folder, best on another machine, that gets a copy of the log, and of all that
            belongs to it, after each item; `resume_from=` the same folder goes on from it anywhere.
            While it cannot be written, the work goes on, and the copy catches up later.
        durable: `True`: a result is on the disk when `record` returns. `"batch"`: the disk is
            waited for about once a second; a killed program loses nothing, a power cut what came
            after that.
        on_change: What to do where the log holds results of items that are none of this sweep:
            `"refuse"`, or `"continue"`, which leaves them in the log and out of the results.
        clean: Set aside what is there and start anew, or from `resume_from` alone.
        trust: Accept results that somebody else may have pickled.

    Raises:
        ConfigError: A parameter cannot work, or two items have one key; nothing was read.
        SweepError: The log, or the one to go on from, belongs to another sweep; it is as it was.
            Or the copy in `snapshot_dir` holds what the log does not.
        IntegrityError: A line of one of them is damaged; the text names it.
        SchemaVersionError: A later release wrote one of them.
        TrustError: A result to be taken in is a pickle, and somebody else may have written it.
        StoreError: What is to be gone on from does not answer; nothing was begun.
    """

    def __init__(
        self,
        items: Iterable[Any],
        *,
        key: Callable[[Any], Hashable] | None = None,
        checkpoint_path: str | os.PathLike[str] | None = None,
        name: str | None = None,
        folder: str | os.PathLike[str] | None = None,
        resume_from: str | os.PathLike[str] | None = None,
        snapshot_dir: str | os.PathLike[str] | None = None,
        durable: bool | str = True,
        on_change: str = "refuse",
        clean: bool = False,
        trust: bool | None = None,
    ) -> None:
        _check(key, durable, on_change)
        begun_at = None if resume_from is None else source.checked(resume_from)
        copied_to = None if snapshot_dir is None else _snapshot_folder(snapshot_dir)
        notices.install()
        self.name = _name(name, checkpoint_path)
        self._is_off = is_switched_off()
        self.path, inside = _place(self.name, checkpoint_path, folder)
        if self._is_off:
            self.path, inside = _scratch(), None
            begun_at = copied_to = None
        self._ledger = Ledger(
            self.name,
            list(items),
            key,
            self.path,
            inside,
            in_batches=durable == "batch" or self._is_off,
            trust=trust,
        )
        if self._is_off:
            weakref.finalize(self._ledger, _remove_scratch, self.path.parent, os.getpid())
        if clean:
            self._ledger.set_aside()
        if begun_at is not None:
            self._ledger.take_in(begun_at, on_change)
        self._ledger.open(on_change)
        if copied_to is not None:
            self._ledger.mirror_to(copied_to, sets_aside=clean)

    @property
    def completed(self) -> Results:
        """Results of the finished items, in the order of the items, read when looked at."""
        return Results(self._ledger.places(DONE), self._ledger.result)

    @property
    def pending(self) -> list[Any]:
        """The items that are left, in order, those that failed in an earlier launch among them."""
        return [self._ledger.items[place] for place in self._ledger.places(PENDING, AGAIN)]

    @property
    def failed(self) -> list[Failure]:
        """What is known of the items that have failed, in their order."""
        return [self._ledger.failure(place) for place in self._ledger.places(FAILED, ASIDE, AGAIN)]

    def pairs(self) -> Iterator[tuple[Any, Any]]:
        """Every finished item with its result, in the order of the items."""
        for place in self._ledger.places(DONE):
            yield self._ledger.items[place], self._ledger.result(place)

    def result(self, item: Any) -> Any:
        """The result of *item*.

        Raises:
            SweepError: It is none of the sweep's, or has no result yet.
        """
        place = self._ledger.place(item)
        if not self._ledger.is_done(place):
            raise SweepError(f"{shown(item)} has no result yet in the sweep {self.name!r}")
        return self._ledger.result(place)

    def __len__(self) -> int:
        return len(self._ledger.items)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._ledger.items)

    def __repr__(self) -> str:
        counts = self._ledger.counts()
        parts = [f"{counts['done']} of {counts['items']} done"]
        parts += [f"{counts[name]} {name}" for name in ("failed", "pending") if counts[name]]
        if counts["set_aside"]:
            parts.append(f"{counts['set_aside']} set aside")
        return f"<ResumableSweep {self.name}: {', '.join(parts)}>"

    def record(self, item: Any, result: Any) -> None:
        """Record the result of *item*; it is durable when this returns.

        Raises:
            SweepError: *item* is none of the sweep's, or has a result already, which stands.
            UnpicklableError: *result* cannot be kept; *item* stays pending.
            StoreError: The disk refused; what was recorded before is safe.
        """
        place = self._ledger.place(item)
        if not self._ledger.keep(place, payload.pack(result), None):
            raise SweepError(
                f"{shown(item)} has a result already in the sweep {self.name!r}. It stands, and "
                "this one was not recorded; loop over sweep.pending."
            )

    def retry(self, items: Iterable[Any] | None = None) -> None:
        """Make items pending again, by default those that failed or were set aside.

        A result that one of *items* has is no result any more; the log keeps it.

        Raises:
            SweepError: One of *items* is none of the sweep's; nothing was changed.
            StoreError: The disk refused.
        """
        if items is None:
            chosen = self._ledger.places(FAILED, AGAIN, ASIDE)
        else:
            chosen = [self._ledger.place(item) for item in items]
        if chosen:
            self._ledger.retry(chosen)

    def map(
        self,
        function: Callable[[Any], Any],
        executor: Executor | Callable[[], Executor] | None = None,
        retries: int = 0,
        on_error: str = "record",
        progress: bool = True,  # noqa: FBT001, FBT002 - a switch, as others have it
        *,
        grace: Duration = "30s",
        signals: Signals = "auto",
        deadline: Duration | datetime | None = "auto",
        before_end: Duration | None = None,
        requeue: Literal["slurm"] | None = None,
        exit_code: int | None = None,
    ) -> Results:
        """Call *function* with every item that is left, and record each result as it comes.

        Several launches of one sweep divide the items among them: none is worked on twice at once,
        and this call waits for what others have in hand.

        Ctrl-C, SIGTERM and the deadline begin no more items, wait for those that run, and leave; a
        rerun goes on with the rest. A second Ctrl-C leaves at once.

        Args:
            function: Takes an item, returns its result.
            executor: Any of `concurrent.futures`, or what is like them (Dask's
                `client.get_executor()`, loky, `mpi4py.futures`); or a callable that makes one, such
                as `ProcessPoolExecutor`, so that another can be made when a worker dies. By default
                the items are worked on here, one by one.
            retries: How often an item that raised is tried again in this launch.
            on_error: `"record"`: an exception is kept with its traceback (`failed`), and the next
                launch tries the item again. `"raise"`: it is kept, and raised as well.
            progress: Show how far it is.
            grace: How long to wait for running items when leaving: seconds, or text as `"5m"`. In
                processes they are stopped then, if the executor is made by a callable. One that is
                worked on here gets the signal then, as if it had only come now.
            signals: At which the program leaves, as for `Checkpoint`; only in the main thread.
            deadline: When the program has to be gone, as for `Checkpoint`.
            before_end: How long ahead of it to leave; as long as an item usually takes at least,
                though no longer than `grace` where they are worked on elsewhere.
            requeue: `"slurm"`: ask Slurm to start the job again, when it leaves at its deadline.
            exit_code: Status of a program that was left because of one; else that of a Ctrl-C, or
                143.

        Returns:
            What `completed` gives.

        Raises:
            KeyboardInterrupt: By Ctrl-C.
            Preempted: By another signal, or the deadline.
            SweepError: A worker died and no other executor can be made, or all workers die. What
                is done is recorded.
            StoreError: The disk refused; what was recorded before is safe.
        """
        retries, grace_s = _check_map(function, retries, on_error, grace)
        settings = check_settings(
            signals=signals,
            deadline=deadline,
            before_end=before_end,
            requeue=requeue,
            exit_code=exit_code,
        )
        if self._is_off:
            settings = replace(settings, signals=(), deadline=None)
        launch = Launch(
            self._ledger,
            function,
            retries=retries,
            raises=on_error == "raise",
            progress=progress,
            grace_s=grace_s,
            settings=settings,
        )
        began = monotonic()
        try:
            launch.run(self._ledger.places(PENDING, AGAIN), executor, frame_at(1))
        finally:
            self._ledger.end_launch()
        self._say_end(monotonic() - began)
        return self.completed

    def _say_end(self, seconds: float) -> None:
        counts = self._ledger.counts()
        others = [f"{counts[name]} {name.replace('_', ' ')}" for name in ("failed", "set_aside")]
        others = [text for text in others if not text.startswith("0 ")]
        notices.say(
            "the sweep %s: %d of %d items are done after %s%s",
            self.name, counts["done"], counts["items"], show_seconds(seconds),
            f"; {', '.join(others)}: see sweep.failed" if others else "",
        )  # fmt: skip

    def refresh(self) -> None:
        """Take in what other processes have recorded meanwhile.

        Raises:
            IntegrityError: A line of the log is damaged.
            StoreError: The disk refused.
        """
        self._ledger.refresh()

    def flush(self) -> None:
        """Wait until everything that was recorded is on the disk.

        Raises:
            StoreError: The disk refused.
        """
        self._ledger.flush()

    def close(self) -> None:
        """Bring the log and its manifest to the disk, and let go of the files.

        Raises:
            StoreError: The disk refused.
        """
        self._ledger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _check(key: object, durable: object, on_change: object) -> None:
    if key is not None and not callable(key):
        raise ConfigError(f"key={key!r}: give a function of an item, as key=lambda c: c['label']")
    if durable is not True and durable != "batch":
        raise ConfigError(f"durable={durable!r} is unknown: choose True or 'batch'")
    if on_change not in _CHANGES:
        listed = ", ".join(map(repr, _CHANGES))
        raise ConfigError(f"on_change={on_change!r} is unknown: choose one of {listed}")


def _snapshot_folder(given: str | os.PathLike[str]) -> Path:
    text = os.fspath(given) if isinstance(given, str | os.PathLike) else None
    if not isinstance(text, str) or not text or "://" in text:
        raise ConfigError(f"snapshot_dir={given!r}: give the path of a folder")
    if os.path.isfile(text):  # noqa: PTH113 - no error where it cannot be told
        raise ConfigError(f"snapshot_dir={given!r} is a file: give the path of a folder")
    return Path(os.path.abspath(text))  # noqa: PTH100 - no link is resolved


def _check_map(
    function: object, retries: object, on_error: object, grace: Duration
) -> tuple[int, float]:
    if not callable(function):
        raise ConfigError(f"map() takes a function of an item, not {function!r}")
    if not isinstance(retries, int) or retries < 0:
        raise ConfigError(f"retries={retries!r}: give a whole number, 0 or more")
    if on_error not in ("record", "raise"):
        raise ConfigError(f"on_error={on_error!r} is unknown: choose 'record' or 'raise'")
    return retries, parse_seconds(grace, "grace")


def _name(given: str | None, checkpoint_path: str | os.PathLike[str] | None) -> str:
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    default = Path(checkpoint_path or script or "sweep").stem
    return default if given is None else fill_name(given, default, {})


def _scratch() -> Path:
    """A log of its own, which goes with the program: results may be more than the memory holds."""
    return Path(tempfile.mkdtemp(prefix="resume-sweep-")) / LOG_NAME


def _remove_scratch(folder: Path, maker: int) -> None:
    if os.getpid() == maker:  # in a forked child, it is the parent's
        shutil.rmtree(folder, ignore_errors=True)


def _place(
    name: str,
    checkpoint_path: str | os.PathLike[str] | None,
    folder: str | os.PathLike[str] | None,
) -> tuple[Path, Path | None]:
    """The log, and the folder of checkpoints that it lies in, if it does."""
    if checkpoint_path is not None:
        base = Path(os.path.abspath(checkpoint_path))  # noqa: PTH100 - no link is resolved
        return base.with_name(f"{base.name}.{LOG_NAME}"), None
    found, _ = find_folder(None if folder is None else os.fspath(folder))
    return found / encode_name(name) / LOG_NAME, found
