"""The benchmark against the peers measures what it says: smoke tests with states of a few KiB."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import peers
import pytest
from peers_contenders import ForkAndPickle, Pickle
from peers_memory import can_forget_peak, private_bytes, touch_free_memory, written_bytes
from peers_ours import Resume
from peers_states import STATES, digest
from peers_table import COLUMNS, Entry, overview, row, table
from peers_trial import run_turn

from resume.results import NOT_DUE

KIB, MIB = 1 << 10, 1 << 20
UNABLE = {("numpy.savez", state) for state in STATES if state not in ("slices", "rows", "smooth")}
"""The only ones that hold no such state: the others have to restore an equal one."""
EVERY_KIND = ("small", "rows", "objects-sets", "model-layer")
"""States that hold every kind of thing that the others hold, too."""

is_linux = pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="reads /proc")


def take_turn(name, state, folder, size_bytes):
    """Save and restore in this process, as the two processes of a turn do."""
    turn = {"folder": str(folder), "size_bytes": size_bytes, "changes": 1, "rests": False}
    contender = peers.CONTENDERS[name]
    saved = run_turn({**turn, "act": "save"}, contender(), STATES[state])
    if "cannot" in saved:
        return saved, None
    return saved, run_turn({**turn, "act": "restore"}, contender(), STATES[state])


TURNS = [
    *((name, state) for name in peers.CONTENDERS for state in EVERY_KIND),
    *(
        (name, state)
        for name in ("pickle", "resume")
        for state in sorted(STATES.keys() - EVERY_KIND)
    ),
]


def marks(name, state):
    """PyTorch is not installed for every Python."""
    return [] if "torch" in name or STATES[state].needs == "torch" else [pytest.mark.shared]


@pytest.mark.parametrize(
    ("name", "state"), [pytest.param(*turn, marks=marks(*turn)) for turn in TURNS]
)
def test_every_contender_restores_an_equal_state(name, state, tmp_path):
    """What comes back has the digest of what the program held when it saved last."""
    for library in (STATES[state].needs, "torch" if "torch" in name else "numpy"):
        pytest.importorskip(library)
    if why := peers.CONTENDERS[name]().missing():
        pytest.skip(why)

    saved, restored = take_turn(name, state, tmp_path / "line", 64 * KIB)

    if (name, state) in UNABLE:
        assert saved == {"cannot": "no: holds arrays only"}
        return
    assert "cannot" not in saved, saved
    assert restored["digest"] == saved["digest"]
    # one pause for the contender alone, one time until durable, one for the restore
    assert [1, 1, 1] == [len(saved["pause"]), len(saved["durable"]), len(restored["restore"])]


@pytest.mark.parametrize("state", STATES)
def test_a_change_changes_and_a_rewriting_does_not(state):
    """The digest tells one from the other, and two programs of one seed are equal."""
    pytest.importorskip(STATES[state].needs)
    one, other = STATES[state](64 * KIB), STATES[state](64 * KIB)
    assert digest(one.value) == digest(other.value)

    one.rewrite()
    assert digest(one.value) == digest(other.value)

    one.change()
    assert digest(one.value) != digest(other.value)


@pytest.mark.parametrize(
    ("one", "other", "are_equal"),
    [
        ({1, 2**40, 5}, {5, 1, 2**40}, True),
        ([1, 1], [1, 1.0], False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, False),
        (np.zeros(4), np.zeros((2, 2)), False),
        (np.zeros(4), -np.zeros(4), False),
        (np.zeros(4, "<f4"), np.zeros(4, "<i4"), False),
        (np.arange(9).reshape(3, 3).T, np.ascontiguousarray(np.arange(9).reshape(3, 3).T), True),
    ],
    ids=["sets", "types", "order", "shape", "bits", "dtype", "layout"],
)
def test_what_the_digest_tells_apart(one, other, are_equal):
    assert (digest(one) == digest(other)) == are_equal


@is_linux
def test_what_is_written_is_counted(tmp_path):
    """Plain pickle writes everything again, a fork's child counts too, and a slice is a slice."""
    size = 8 * MIB
    written = {
        name: take_turn(name, "slices", tmp_path / str(number), size)[0]["written"][0]
        for number, name in enumerate(("pickle", "fork+pickle", "resume"))
    }

    assert written["pickle"] >= size
    assert written["fork+pickle"] >= size
    assert written["resume"] < size / 4


@is_linux
@pytest.mark.untraced
@pytest.mark.skipif(not can_forget_peak(), reason="the peak cannot be reset here")
def test_extra_memory_is_counted(tmp_path):
    """What a save copies counts; so do the pages that a fork's child holds alone."""
    given = ["--size", "32MiB", "--changes", "1"]
    conductor = peers.Conductor(peers.arguments(given), tmp_path)  # the memory of new processes
    extra = {
        name: conductor.turn("slices", name, 0).samples["extra"][0]
        for name in ("pickle", "fork+pickle", "diskcache")
        if peers.CONTENDERS[name]().missing() is None
    }
    size = 32 * MIB

    assert extra["pickle"] < size / 4
    assert extra.get("diskcache", size) > size / 2
    assert extra["fork+pickle"] > size / 2


def test_touching_memory_keeps_none():
    """What is taken to be touched is given back, and no more is taken than there is."""
    before = private_bytes()

    touch_free_memory(64 * MIB)
    touch_free_memory(0)

    assert private_bytes() - before < 32 * MIB


def test_a_fork_that_fails_is_no_save(tmp_path):
    """A child that could not write does not pass for a save."""
    contender = ForkAndPickle()

    def act():
        with pytest.raises(OSError, match="the child ended with status"):
            contender.save_durably()

    contender.hold({"n": lambda: 0}, tmp_path, act)


def test_older_saves_are_removed_as_ours_are(tmp_path):
    """Two saves of a contender stay, and the newest is what it restores."""
    contender = Pickle()

    def act():
        for number in range(4):
            contender.value["n"] = number
            contender.save_durably()
        contender.prune()

    contender.hold({}, tmp_path, act)

    assert 2 == len(list(tmp_path.iterdir()))
    assert {"n": 3} == contender.restore(tmp_path, None)


def test_a_sync_that_saved_nothing_is_an_error(tmp_path):
    """No pause is told of a save that was not made."""
    contender = Resume()

    def act():
        contender.chp = NeverDue()
        with pytest.raises(RuntimeError, match="the sync saved nothing: not due"):
            contender.save()

    contender.hold({"n": 1}, tmp_path, act)


class NeverDue:
    """A handle whose syncs are never due."""

    def sync(self):
        return NOT_DUE


# --- the command ---


def run_command(*given, timeout=60):
    return subprocess.run(
        [sys.executable, peers.__file__, *map(str, given)],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=True,
    )


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_command_prints_a_full_table_and_adds_to_its_file(tmp_path):
    """Every cell is filled; a second start adds its rows; `--show` prints the same without any."""
    samples = tmp_path / "samples.json"
    common = ["--states", "slices", "--size", "64KiB", "--repetitions", 1, "--changes", 1]
    common += ["--json", samples, "--folder", tmp_path]

    run_command(*common, "--peers", "pickle,resume")
    printed = run_command(*common, "--peers", "pickle,numpy").stdout

    rows = [cells(line) for line in printed.splitlines() if line.startswith("| ")]
    assert ["", *COLUMNS.values()] == rows[0]
    assert ["pickle", "resume", "numpy.savez"] == [one[0] for one in rows[1:]]
    assert all(len(one) == 1 + len(COLUMNS) and all(one) for one in rows[1:])
    assert run_command("--show", samples).stdout == printed
    assert [samples] == list(tmp_path.glob("*"))  # nothing is left behind


def test_samples_of_another_size_are_not_mixed(tmp_path):
    """A file of other sizes is refused, and stays as it is."""
    samples = tmp_path / "samples.json"
    samples.write_text(json.dumps({"size": "512 MiB", "machine": {}, "entries": []}))

    with pytest.raises(SystemExit, match="holds samples of 512 MiB"):
        peers.main(["--size", "1MiB", "--json", str(samples), "--states", "small"])

    assert [] == json.loads(samples.read_text())["entries"]


def test_who_takes_too_long_gets_a_smaller_state_and_then_none(tmp_path):
    """The budget shrinks the state step by step; in the end the row says so."""
    asked = peers.arguments(["--size", "1MiB", "--budget", "0.01"])
    conductor = peers.Conductor(asked, tmp_path)

    entry = conductor.turn("slices", "pickle", 0)

    assert "takes longer than 0.01 s" == entry.cannot
    assert entry == conductor.turn("slices", "pickle", 0)


def test_a_contender_that_is_not_there_is_a_row_that_says_so(tmp_path, monkeypatch):
    """Nothing is started for it."""

    class Absent(Pickle):
        name = "absent"
        needs = ("no_such_library",)

    monkeypatch.setitem(peers.CONTENDERS, "absent", Absent)
    conductor = peers.Conductor(peers.arguments([]), tmp_path)

    entry = conductor.turn("small", "absent", 0)

    assert "no_such_library is not installed" == entry.cannot
    assert "| absent | no_such_library is not installed |" in table("small", [entry], "1 MiB")


def test_a_process_that_dies_is_told(tmp_path, monkeypatch):
    """A turn that ends without an answer is no measurement."""
    conductor = peers.Conductor(peers.arguments(["--size", "1MiB"]), tmp_path)
    monkeypatch.setenv("PYTHONMALLOC", "no such allocator")

    entry = conductor.turn("small", "pickle", 0)

    assert entry.cannot.startswith("no, save: the process died")


def test_another_state_than_was_saved_is_no_restore(tmp_path):
    """However fast it was: the row says so, and the contender is not asked again."""

    class Forgetful(peers.Conductor):
        def _start(self, turn):
            started.append(turn["act"])
            return {"pause": [0.1], "digest": turn["act"]}

    started = []
    conductor = Forgetful(peers.arguments([]), tmp_path)

    entries = [conductor.turn("small", "pickle", number) for number in range(2)]

    assert ["no: restores another state than it saved"] * 2 == [one.cannot for one in entries]
    assert ["save", "restore"] == started


def test_an_end_from_outside_leaves_nothing_behind(tmp_path):
    """SIGTERM ends the process of the turn, and removes its files."""
    given = ["--states", "slices", "--peers", "gzip", "--size", "16GiB", "--folder", str(tmp_path)]
    with subprocess.Popen([sys.executable, peers.__file__, *given]) as process:
        deadline = time.monotonic() + 30
        while not list(tmp_path.glob("peers-*/line-warm")) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)

    assert 143 == process.returncode
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("all", ["small", "model-step", "model-layer"]),
        ("model", ["model-step", "model-layer"]),
        ("model-layer,small", ["model-layer", "small"]),
        ("small,small", ["small"]),
    ],
)
def test_names_are_chosen_by_their_beginning(text, expected):
    assert expected == peers.chosen(text, ["small", "model-step", "model-layer"])


def test_an_exact_name_is_chosen_alone():
    """`resume` is one contender, `resume-` are its variants."""
    assert ["resume"] == peers.chosen("resume", list(peers.CONTENDERS))
    assert len(peers.chosen("resume-", list(peers.CONTENDERS))) == 3
    with pytest.raises(SystemExit, match="'nobody' is none of: resume; "):
        peers.chosen("nobody", list(peers.CONTENDERS))


@pytest.mark.parametrize(("text", "size"), [("4KiB", 4096), ("1.5MiB", 1572864), ("1gib", 1 << 30)])
def test_sizes(text, size):
    assert size == peers.size_in_bytes(text)


# --- the table ---


def entry(contender, number, *, shrunk=1, run="a", **samples):
    taken = {name: [value] for name, value in samples.items()}
    return Entry(run, number, "slices", contender, shrunk, taken)


def test_the_ratio_is_taken_within_a_round():
    """A round in which the machine was slow for all changes no ratio."""
    baseline = [entry("pickle", 0, pause=1.0), entry("pickle", 1, pause=10.0)]
    ours = [entry("resume", 0, pause=0.5), entry("resume", 1, pause=5.0)]

    assert "2.75 s **0.5x** (500 ms to 5.00 s)" in row("resume", ours, baseline)


def test_the_rounds_of_each_row_are_told():
    """A table that was measured in pieces says so."""
    rows = [entry("pickle", 0), entry("pickle", 1), entry("resume", 0)]

    assert "### slices (1 GiB, 1 to 2 rounds)" in table("slices", rows, "1 GiB")
    assert "### slices (1 GiB, 2 rounds)" in table("slices", rows[:2], "1 GiB")


def test_another_start_is_another_machine():
    """Samples of one start are never divided by those of another."""
    ours = [entry("resume", 0, pause=0.5, run="b")]

    assert "**" not in row("resume", ours, [entry("pickle", 0, pause=1.0)])


def test_what_was_measured_smaller_is_scaled_and_said():
    """Times and sizes are multiplied, a ratio is not; the table says by how much."""
    ours = entry("gzip", 0, shrunk=64, pause=1.0, written=MIB, extra=MIB, next_step=1.5)

    text = table("slices", [ours], "1024 MiB")

    assert "≈ 64.00 s" in text
    assert "≈ 64 MiB" in text
    assert "≤ 64 MiB" in text
    assert "| 1.50x |" in text
    assert "≈ gzip: measured with a state 64 times smaller, and multiplied by 64." in text


def test_the_overview_has_a_row_for_each_contender_and_a_column_for_each_state():
    """Ratios alone, within a round; of plain pickle what they are ratios to."""
    rows = [
        entry("pickle", 0, pause=2.0, restore=1.0),
        entry("pickle", 1, pause=4.0, restore=1.0),
        entry("resume", 0, pause=1.0, restore=0.5),
        entry("resume", 1, pause=1.0, restore=0.5),
        entry("gzip", 0, shrunk=8, pause=1.0),
    ]
    other = Entry("a", 0, "rows", "resume", 1, {"pause": [1.0]})

    text = overview({"entries": [asdict(one) for one in [*rows, other]]})

    pauses, _, _, restores = text.split("\n\n")
    assert pauses.splitlines() == [
        "| pause, later save | slices | rows |",
        "|---|---|---|",
        "| pickle | 3.00 s | – |",
        "| resume | 0.375x | – |",
        "| gzip | ≈ 4x | – |",
    ]
    assert "| resume | 0.5x | – |" in restores


def test_the_environment_of_the_operator_stays_outside(tmp_path, monkeypatch):
    """RESUME_DISABLE and its like do not reach what is measured."""
    monkeypatch.setenv("RESUME_DISABLE", "1")
    conductor = peers.Conductor(peers.arguments(["--size", "64KiB", "--changes", "1"]), tmp_path)

    found = conductor.turn("small", "resume", 0)

    assert found.cannot is None
    assert found.samples["pause"]
    assert "RESUME_DISABLE" in os.environ


@is_linux
def test_bytes_of_this_process_rise(tmp_path):
    before = written_bytes()

    (tmp_path / "file").write_bytes(bytes(1000))

    assert written_bytes() - before >= 1000
