"""How much a save in the background slows the main thread down: `python tests/bench/slowdown.py`.

A state of 1 GiB, all of it changed, is handed to a background writer; meanwhile the main thread
goes on with units of work of a few milliseconds each, and each unit is timed. Right before, on the
same memory with nothing else running, the same units are timed as the control. So each number is a
ratio of neighbours; contenders take turns, round by round.

Work: `python` is a loop of additions (it needs the GIL), `vector` adds two arrays that no cache
holds (it needs memory), `matmul` multiplies matrices (it needs every core that numpy takes).

Contenders: this library with memory for the whole state, a fork whose child pickles, a thread that
pickles (which saves no single moment: the state changes under it), and torch's `async_save`.

"seconds lost" is the time that the units took beyond the control while the save went on: what the
whole save costs the program, with the pause, which stands beside it.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import statistics
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

HERE = Path(__file__).resolve().parent
for _place in (str(HERE), str(HERE.parents[1])):
    if _place not in sys.path:
        sys.path.insert(0, _place)

import numpy as np  # noqa: E402 - the folders come first: this is run as a script from anywhere
from peers import size_in_bytes  # noqa: E402
from peers_contenders import Contender, ForkAndPickle, Pickle  # noqa: E402
from peers_libraries import TorchDcpAsync  # noqa: E402
from peers_ours import Resume, ResumePool  # noqa: E402
from peers_states import Slices  # noqa: E402
from peers_table import show_seconds  # noqa: E402
from peers_trial import come_to_rest, seconds  # noqa: E402

CONTROL_S = 0.5
MATRIX = 384
VECTOR = 2 << 20


class AllChanged(Slices):
    """16 arrays of random float64, all of them new at each step."""

    def change(self) -> None:
        for array in self.value.values():
            self.rng.random(out=array)


class Watched(Resume):
    """The library, with a look at the folder to tell when the generation is there."""

    def save(self) -> None:
        self.before = self._newest()
        super().save()

    def is_writing(self) -> bool:
        return self._newest() == self.before

    def _newest(self) -> str:
        return max((path.name for path in self.folder.rglob("*.manifest.json")), default="")


class WatchedPool(Watched, ResumePool):
    """With memory for the whole state."""


class ThreadAndPickle(Pickle):
    """A thread that pickles."""

    name = "thread+pickle"
    goes_on = True

    def save(self) -> None:
        self.thread = threading.Thread(target=super().save)
        self.thread.start()

    def is_writing(self) -> bool:
        return self.thread.is_alive()

    def settle(self) -> None:
        self.thread.join()


class AsyncTensors(TorchDcpAsync):
    """torch's own, over the same memory as tensors: it is slow with arrays."""

    def hold(self, value: Any, folder: Path, act: Callable[[], None]) -> None:
        import torch

        tensors = {name: torch.from_numpy(array) for name, array in value.items()}
        super().hold(tensors, folder, act)


CONTENDERS: dict[str, type[Contender]] = {
    kind.name: kind for kind in (Watched, WatchedPool, ForkAndPickle, ThreadAndPickle, AsyncTensors)
}


def python_unit() -> None:
    total = 0
    for number in range(100_000):
        total += number


def vector_unit(left: Any, right: Any) -> None:
    np.add(left, right, out=left)


def matmul_unit(left: Any, right: Any, product: Any) -> None:
    np.matmul(left, right, out=product)


def work(kind: str) -> Callable[[], None]:
    """One unit of work as a call without arguments."""
    if kind == "python":
        return python_unit
    length = VECTOR if kind == "vector" else MATRIX * MATRIX
    left, right, product = (np.full(length, value) for value in (1.0, 1e-9, 0.0))
    if kind == "vector":
        return lambda: vector_unit(left, right)
    square = (MATRIX, MATRIX)
    left, right, product = (array.reshape(square) for array in (left, right, product))
    return lambda: matmul_unit(left, right, product)


@dataclass
class Turn:
    """What one contender did to the main thread in one round."""

    pause_s: float
    writing_s: float
    control_s: float
    """Median unit with nothing running."""
    units_s: list[float] = field(default_factory=list)

    @property
    def slowdown(self) -> float:
        """How much longer the mean unit took; 1 where nothing was slower."""
        return statistics.fmean(self.units_s) / self.control_s if self.units_s else 1.0

    @property
    def worst(self) -> float:
        """The longest unit, in units."""
        return max(self.units_s) / self.control_s if self.units_s else 1.0

    @property
    def lost_s(self) -> float:
        """Seconds that the units took beyond the control."""
        return sum(self.units_s) - len(self.units_s) * self.control_s


def run_units(unit: Callable[[], None], goes_on: Callable[[], bool]) -> list[float]:
    """The times of units, as long as *goes_on*."""
    times = []
    while goes_on():
        times.append(seconds(unit))
    return times


def control(unit: Callable[[], None]) -> float:
    """The median unit with nothing else running."""
    unit()
    until = perf_counter() + CONTROL_S
    return statistics.median(run_units(unit, lambda: perf_counter() < until))


def take_turn(contender: Contender, state: AllChanged, unit: Callable[[], None]) -> Turn:
    """Save once durably, change all, save and work on."""
    turns: list[Turn] = []

    def act() -> None:
        contender.save_durably()
        state.change()
        come_to_rest(state.size_bytes)
        quiet_s = control(unit)
        pause_s = seconds(contender.save)
        began = perf_counter()
        times = run_units(unit, contender.is_writing)
        turns.append(Turn(pause_s, perf_counter() - began, quiet_s, times))
        contender.settle()

    folder = Path(tempfile.mkdtemp(prefix="slowdown-", dir=state.place))
    contender.size_bytes = state.size_bytes
    try:
        contender.hold(state.value, folder, act)
    finally:
        shutil.rmtree(folder)
    return turns[0]


def spread(values: Sequence[float], show: Callable[[float], str]) -> str:
    """Median, least and most."""
    return f"{show(statistics.median(values))} ({show(min(values))} to {show(max(values))})"


def table(kind: str, turns: dict[str, list[Turn]], missing: dict[str, str]) -> str:
    """The table of one kind of work."""
    times = "{:.2f}x".format
    lines = [
        f"### {kind}",
        "",
        "| | pause | then writing for | slowdown meanwhile | longest unit | seconds lost |",
        "|---|---|---|---|---|---|",
    ]
    for name, mine in turns.items():
        cells = [
            spread([turn.pause_s for turn in mine], show_seconds),
            spread([turn.writing_s for turn in mine], show_seconds),
            spread([turn.slowdown for turn in mine], times),
            spread([turn.worst for turn in mine], times),
            spread([turn.lost_s for turn in mine], "{:.3f}".format),
        ]
        if not any(turn.units_s for turn in mine):
            cells[1:] = ["had written all before it returned", "–", "–", "–"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += [f"| {name} | {why} | – | – | – | – |" for name, why in missing.items()]
    return "\n".join(lines)


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--size", type=size_in_bytes, default="1GiB")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--work", default="python,vector,matmul")
    parser.add_argument("--peers", default=";".join(CONTENDERS), help="names, by semicolons")
    parser.add_argument("--folder", type=Path, help="on the disk to measure (default: temporary)")
    return parser.parse_args(given)


def main(given: Sequence[str] | None = None) -> None:
    """Measure and print."""
    asked = arguments(given)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the files go, too
    warnings.simplefilter("ignore")  # torch says much about single processes
    state = AllChanged(asked.size)
    state.place = asked.folder
    chosen = {name: CONTENDERS[name]() for name in asked.peers.split(";")}
    missing = {name: why for name, peer in chosen.items() if (why := peer.missing())}
    tables = []
    for kind in asked.work.split(","):
        unit = work(kind)
        turns: dict[str, list[Turn]] = {name: [] for name in chosen if name not in missing}
        for number in range(asked.repetitions):
            for name, taken in turns.items():
                taken.append(take_turn(chosen[name], state, unit))
                sys.stderr.write(f"{kind}, round {number + 1}, {name}\n")
        tables.append(table(kind, turns, missing))
    sys.stdout.write("Medians (least to most).\n\n" + "\n\n".join(tables) + "\n")


if __name__ == "__main__":
    main()
