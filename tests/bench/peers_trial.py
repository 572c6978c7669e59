"""One contender, one state, one fresh process: `measure` saves, `measure_restore` gets it back.

How it is kept fair:

- *Fresh pages.* On a virtual machine the first touch of a page costs ten times what a copy into a
  page in use costs, and would swamp everything else. So before each timed act three times the size
  of the state is taken from the free memory, touched and given back (peers_memory.py), and before
  the first one each contender saves twice to a folder that is thrown away, in the process that is
  then measured: allocator, page cache and a pool of its own are warm, for all alike.
- *Writeback.* Before each timed save the disk is let come to rest (`os.sync`), and Python's
  collector has run; the older files of a contender are removed outside the timing.
- *Durable* means the same for all: the save has settled, and an fsync of every file that it wrote
  and of the folders has returned. Who does that itself (fsync in the save) is not made to repeat
  it; for the others it is done here, inside the timing.
- *Pause* is what the main thread waits for, as the contender does it by itself; so a contender that
  does not fsync has the shorter pause, and "pickle+fsync" is there to compare with.
- *Next step*, of those that go on after the pause: the time to rewrite every page of the state
  right after it, divided by the time of the same once the save has settled.
- *Extra memory*: the most that the process had during a save, less what it had with the state and
  before the first save; for a fork, plus the pages that the child alone held in the end.
- *Restore* happens in another fresh process, which has imported what it needs; the files are in the
  page cache, for all alike. What comes back must be equal: its digest is compared.
"""

from __future__ import annotations

import gc
import importlib
import os
import shutil
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import peers_memory as memory
from peers_contenders import CannotHoldError, Contender, sync_tree
from peers_states import State, digest

TOUCHED = 3
SPARE_BYTES = 64 << 20


def seconds(act: Callable[[], Any]) -> float:
    """How long one call takes."""
    began = perf_counter()
    act()
    return perf_counter() - began


def come_to_rest(size_bytes: int) -> None:
    """Nothing left to collect or to write, and memory at hand for a state of so many bytes."""
    gc.collect()
    os.sync()
    memory.touch_free_memory(TOUCHED * size_bytes + SPARE_BYTES)


class Trial:
    """The measured saves of one contender."""

    def __init__(self, contender: Contender, state: State, rest: Callable[[int], None]) -> None:
        self.contender = contender
        self.state = state
        self.rest = rest
        self.samples: dict[str, list[float]] = {
            name: [] for name in ("first", "pause", "durable", "written", "next_step")
        }
        self.extra = 0
        state.change()  # what a change needs for itself is no extra memory
        gc.collect()
        self.base_bytes = memory.resident_bytes() or 0

    def warm_up(self) -> None:
        """Save and throw away, as the measured saves will be made."""
        self.contender.save_durably()
        self.state.change()
        self.contender.save()
        self.contender.settle()

    def run(self, changes: int) -> None:
        """One first save, then *changes* later ones."""
        self._note("first", self._timed(self.contender.save))
        self._end_save()
        for _ in range(changes):
            self.contender.prune()
            if self.contender.goes_on:
                self._change_and_go_on()
            self._change_and_wait()

    def _change_and_go_on(self) -> None:
        self.state.change()
        self._note("pause", self._timed(self.contender.save))
        rewriting_s = seconds(self.state.rewrite)
        self._end_save()
        self.contender.prune()
        if self.state.is_sized:  # a few scalars take no time
            self.rest(self.state.size_bytes)
            self._note("next_step", rewriting_s / seconds(self.state.rewrite))

    def _change_and_wait(self) -> None:
        self.state.change()
        before = memory.written_bytes()
        if self.contender.goes_on:
            took = self._timed(self.contender.save_durably)
        else:
            took = self._timed(self.contender.save)
            self._note("pause", took)
            took += seconds(self.contender.settle)
        if not self.contender.syncs_itself:
            took += seconds(lambda: sync_tree(self.contender.folder))
        self._note("durable", took)
        after = memory.written_bytes()
        if before is not None and after is not None:
            self._note("written", after - before)
        self._look_at_memory()

    def _timed(self, act: Callable[[], None]) -> float:
        self.rest(self.state.size_bytes)
        memory.forget_peak()
        return seconds(act)

    def _end_save(self) -> None:
        self.contender.settle()
        self._look_at_memory()

    def _look_at_memory(self) -> None:
        peak = (memory.peak_bytes() or 0) + self.contender.helper_bytes()
        self.extra = max(self.extra, peak - self.base_bytes)

    def _note(self, name: str, number: float) -> None:
        self.samples[name].append(number)


def measure(
    contender: Contender, state: State, folder: Path, changes: int, rest: Callable[[int], None]
) -> dict[str, Any]:
    """The samples of one process; the last save stays in *folder*."""
    trial = Trial(contender, state, rest)
    warm = folder.with_name(f"{folder.name}-warm")
    for place in (warm, folder):
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
    contender.hold(state.value, warm, trial.warm_up)
    shutil.rmtree(warm)
    contender.hold(state.value, folder, lambda: trial.run(changes))
    return {
        **trial.samples,
        "extra": [trial.extra] if memory.can_forget_peak() else [],
        "digest": digest(state.value),
    }


def measure_restore(
    contender: Contender, template: Any, folder: Path, rest: Callable[[int], None]
) -> dict[str, Any]:
    """How long the newest save takes to come back, and the digest of what came."""
    restored: list[Any] = []
    rest(contender.size_bytes)
    took = seconds(lambda: restored.append(contender.restore(folder, template)))
    return {"restore": [took], "digest": digest(restored[0])}


def run_turn(turn: dict[str, Any], contender: Contender, kind: type[State]) -> dict[str, Any]:
    """What a process is started for: `save` or `restore`; an inability is an answer, too."""
    warnings.simplefilter("ignore")  # torch says much about single processes
    for library in ("numpy.random._pickle", kind.needs, *contender.needs):
        importlib.import_module(library)  # no matter of the first save or of the restore
    folder = Path(turn["folder"])
    rest = come_to_rest if turn["rests"] else lambda _: None
    contender.size_bytes = turn["size_bytes"]
    try:
        if turn["act"] == "save":
            return measure(contender, kind(turn["size_bytes"]), folder, turn["changes"], rest)
        template = kind(turn["size_bytes"], 1).value if contender.needs_template else None
        return measure_restore(contender, template, folder, rest)
    except CannotHoldError as why:
        return {"cannot": f"no: {why}"}
    except Exception as why:  # noqa: BLE001 - whatever a peer raises is its answer
        sys.excepthook(type(why), why, why.__traceback__)
        return {"cannot": f"no, {turn['act']}: {type(why).__name__}: {str(why)[:80]}"}
