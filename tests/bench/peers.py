"""This library and its peers, side by side on the same states: `python tests/bench/peers.py`.

    python tests/bench/peers.py --states slices,rows --peers pickle,resume --size 1GiB \
        --repetitions 5 --json results.json

In each round every contender has its turn, each in a fresh process (two, for the restore has its
own); then the next round begins. So what slows the machine for a while falls on all of them, and a
ratio is taken between neighbours of one round. How the measuring is kept fair stands at the head of
peers_trial.py; what each peer is given, at the head of peers_contenders.py.

A contender that takes longer than `--budget` for one turn is given a state eight times smaller from
then on, and its numbers are multiplied; the table says so. `--json` adds to the file where it is
there already, so a table can be measured in pieces (keep `pickle` in each piece: it is what the
others are divided by); `--show` prints the table of a file and measures nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from time import monotonic
from typing import Any

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
for _place in (str(HERE), str(CHECKOUT)):
    if _place not in sys.path:
        sys.path.insert(0, _place)

from peers_contenders import PICKLES, Contender  # noqa: E402 - run as a script from anywhere
from peers_libraries import LIBRARIES  # noqa: E402
from peers_ours import OURS  # noqa: E402
from peers_states import STATES  # noqa: E402
from peers_table import Entry, overview, tables  # noqa: E402
from peers_trial import run_turn  # noqa: E402

CONTENDERS: dict[str, type[Contender]] = {kind.name: kind for kind in (*OURS, *PICKLES, *LIBRARIES)}
SHRINK_FURTHER = 8
SMALLEST = 1 << 10
"""So many times smaller at most; who is too slow even then is."""
_UNITS = {"KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30}


def size_in_bytes(text: str) -> int:
    """`512MiB` -> bytes."""
    for unit, factor in _UNITS.items():
        if text.upper().endswith(unit):
            return int(float(text[: -len(unit)]) * factor)
    raise argparse.ArgumentTypeError(f"{text!r}: give KiB, MiB or GiB, such as 512MiB")


def chosen(text: str, known: Sequence[str]) -> list[str]:
    """The names in *known* that the list of names or beginnings of names selects."""
    if text == "all":
        return list(known)
    picked = []
    for part in text.replace(";", ",").split(","):
        exact = [name for name in known if _key(name) == _key(part)]
        matching = exact or [name for name in known if _key(name).startswith(_key(part))]
        if not matching:
            raise SystemExit(f"{part!r} is none of: {'; '.join(_key(name) for name in known)}")
        picked += [name for name in matching if name not in picked]
    return picked


def _key(name: str) -> str:
    """A contender's name without what a list on the command line could not hold."""
    return name.strip().lower().replace(",", "").replace(" ", "-")


class Conductor:
    """Gives each contender its turn, in processes of its own."""

    def __init__(self, asked: argparse.Namespace, folder: Path) -> None:
        self.asked = asked
        self.folder = folder
        self.run = secrets.token_hex(4)
        self.shrunk: dict[tuple[str, str], int] = {}
        self.out: dict[tuple[str, str], str] = {}
        """Who cannot, and why: not asked again in the next round."""

    def rounds(self, states: Sequence[str], contenders: Sequence[str]) -> Iterator[Entry]:
        """All entries, as they come."""
        for state in states:
            for number in range(self.asked.repetitions):
                for name in contenders:
                    yield self.turn(state, name, number)

    def turn(self, state: str, name: str, number: int) -> Entry:
        """One contender's turn; a smaller state where it does not end in time."""
        contender = CONTENDERS[name]()
        key = (state, name)
        if key not in self.out and (why := contender.missing() or _lacks(STATES[state].needs)):
            self.out[key] = why
        shrunk = self.shrunk.setdefault(key, contender.shrink_for(STATES[state]))
        entry = Entry(self.run, number, state, name, shrunk=shrunk)
        if key in self.out:
            entry.cannot = self.out[key]
            return entry
        answer = self._measure(state, name, self.asked.size // shrunk)
        if answer is None:
            return self._again_smaller(state, name, number)
        entry.samples = answer if "cannot" not in answer else {}
        if "cannot" in answer:
            entry.cannot = self.out[key] = answer["cannot"]
        return entry

    def _again_smaller(self, state: str, name: str, number: int) -> Entry:
        key = (state, name)
        self.shrunk[key] *= SHRINK_FURTHER
        if self.shrunk[key] > SMALLEST or not STATES[state].is_sized:
            self.out[key] = f"takes longer than {self.asked.budget:g} s"
        return self.turn(state, name, number)

    def _measure(self, state: str, name: str, size_bytes: int) -> dict[str, Any] | None:
        """The samples of both processes, or `cannot`; None where they did not end in time."""
        place = self.folder / "line"
        turn = {
            "state": state,
            "contender": name,
            "size_bytes": size_bytes,
            "folder": str(place),
            "changes": self.asked.changes,
            "rests": True,
        }
        try:
            saved = self._start(turn | {"act": "save"})
            if saved is None or "cannot" in saved:
                return saved
            restored = self._start(turn | {"act": "restore"})
        finally:
            for leftover in self.folder.iterdir():
                shutil.rmtree(leftover, ignore_errors=True)
        if restored is None or "cannot" in restored:
            return restored
        expected, found = saved.pop("digest"), restored.pop("digest")
        if expected != found:
            return {"cannot": "no: restores another state than it saved"}
        return saved | restored

    def _start(self, turn: dict[str, Any]) -> dict[str, Any] | None:
        answer = self.folder / "answer.json"
        answer.unlink(missing_ok=True)
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("RESUME_")}
        with subprocess.Popen(
            [sys.executable, __file__, "--turn", json.dumps(turn | {"answer": str(answer)})],
            env=inherited | {"RESUME_QUIET": "1"},
            start_new_session=True,  # so that a forked child ends with it
        ) as process:
            try:
                process.wait(self.asked.budget)
            except BaseException as why:
                os.killpg(process.pid, signal.SIGKILL)
                if isinstance(why, subprocess.TimeoutExpired):
                    return None
                raise
        if not answer.exists():
            return {"cannot": f"no, {turn['act']}: the process died ({process.returncode})"}
        told: dict[str, Any] = json.loads(answer.read_text())
        answer.unlink()
        return told


def _lacks(library: str) -> str | None:
    return None if find_spec(library) else f"{library} is not installed"


def machine(folder: Path) -> dict[str, Any]:
    """What the numbers were taken on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return {
        "python": platform.python_version(),
        "platform": platform.platform(terse=True),
        "cpus": os.cpu_count(),
        "memory": f"{memory:.0f} GiB",
        "file_system": _file_system(folder),
    }


def _file_system(folder: Path) -> str:
    """Kind of the file system: on a tmpfs an fsync costs nothing, and the table says little."""
    try:
        mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return "?"
    above = [str(folder), *map(str, folder.parents)]
    return max((m for m in mounts if m[1] in above), key=lambda m: len(m[1]))[2]


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--states", default="all", help=f"of: {', '.join(STATES)}")
    parser.add_argument("--peers", default="all", help=f"of: {', '.join(map(_key, CONTENDERS))}")
    parser.add_argument("--repetitions", type=int, default=5, help="rounds")
    parser.add_argument("--changes", type=int, default=3, help="changes measured in one process")
    parser.add_argument("--size", type=size_in_bytes, default="1GiB")
    parser.add_argument("--budget", type=float, default=120.0, help="seconds for one process")
    parser.add_argument("--folder", type=Path, help="on the disk to measure (default: temporary)")
    parser.add_argument("--json", type=Path, help="where the samples go; added to what is there")
    parser.add_argument("--show", type=Path, help="print the tables of such a file")
    parser.add_argument("--overview", action="store_true", help="with --show: the ratios alone")
    parser.add_argument("--turn", help=argparse.SUPPRESS)
    return parser.parse_args(given)


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """All rounds; the document, which `--json` holds after each turn."""
    states = chosen(asked.states, list(STATES))
    contenders = chosen(asked.peers, list(CONTENDERS))
    size = f"{asked.size / (1 << 20):g} MiB"
    place = asked.folder or tempfile.gettempdir()
    document = {"size": size, "machine": machine(Path(place).resolve()), "entries": []}
    if asked.json and asked.json.exists():
        earlier = json.loads(asked.json.read_text())
        if earlier["size"] != size:
            raise SystemExit(f"{asked.json} holds samples of {earlier['size']}: give another file")
        document = earlier
    folder = Path(tempfile.mkdtemp(prefix="peers-", dir=place))
    try:
        began = monotonic()
        for entry in Conductor(asked, folder).rounds(states, contenders):
            document["entries"].append(asdict(entry))
            took, began = monotonic() - began, monotonic()
            sys.stderr.write(
                f"{entry.state}, round {entry.round + 1}, {entry.contender}: {took:.1f} s\n"
            )
            if asked.json:
                asked.json.write_text(json.dumps(document, indent=1) + "\n")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return document


def main(given: Sequence[str] | None = None) -> None:
    """Measure and print."""
    asked = arguments(given)
    if asked.turn:
        turn = json.loads(asked.turn)
        told = run_turn(turn, CONTENDERS[turn["contender"]](), STATES[turn["state"]])
        Path(turn["answer"]).write_text(json.dumps(told))
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # files and processes go, too
    document = json.loads(asked.show.read_text()) if asked.show else measure(asked)
    about = ", ".join(f"{name} {value}" for name, value in document["machine"].items())
    told = overview(document) if asked.overview else tables(document)
    sys.stdout.write(f"{about}\n\n{told}\n")


if __name__ == "__main__":
    main()
