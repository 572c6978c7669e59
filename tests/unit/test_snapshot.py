"""What the manifest shows of a state, and what is refused at the capture."""

from __future__ import annotations

import gc
import weakref
from collections import OrderedDict
from enum import IntEnum
from typing import ClassVar

import numpy as np
import pytest

from resume.errors import UnpicklableError
from resume.snapshot import Scene, capture, preview, revive
from resume.types import Content


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (5, "5"),
        (None, "None"),
        (0.5, "0.5"),
        ("a", "'a'"),
        ([1, (2, "x")], "[1, (2, 'x')]"),
        ({"a": 1}, "{'a': 1}"),
        (2**100, "1267650600228229401496703205376"),
        ([True, 1, 1.0], "[True, 1, 1.0]"),
        (1e-300, "1e-300"),
        (range(3), "range(0, 3)"),
        (set(), "set()"),
    ],
)
def test_previews_of_builtin_values(value, text):
    assert preview("x", value) == text


def test_a_number_of_more_digits_than_python_writes_is_saved_and_shown_by_its_size():
    number = 2**40_000

    snapshot, revived = restored(Scene({"n": number}))

    assert "<int of 40001 bits>" == snapshot.variables[0].preview
    assert "[<int of 40001 bits>]" == preview("x", [number])
    assert number == revived.names["n"]


def test_no_code_of_the_users_runs_for_a_preview():
    class Loud:
        def __repr__(self):
            raise AssertionError

    class Level(IntEnum):
        LOW = 1

    class Text(str):
        __slots__ = ()

        def __repr__(self):
            raise AssertionError

    for value in (Loud(), [Loud()], {"a": Loud()}, Text("x"), [Text("x")], OrderedDict(a=1)):
        assert preview("x", value) == ""
    assert preview("x", Level.LOW) == ""
    assert preview("x", np.zeros(3)) == ""


def test_previews_are_short():
    numbers = (10**59, -(10**59), 10**60, 10**500, 10**10_000, [10**10_000], {"n": 10**10_000})
    long = ("x" * 10_000, list(range(10_000)), {str(k): k for k in range(1000)})
    for value in (*long, *numbers):
        assert 0 < len(preview("x", value)) < 200


@pytest.mark.parametrize("name", ["token", "api_key", "Password", "SECRET", "aws_credentials"])
def test_secrets_are_masked(name):
    assert preview(name, "hunter2") == "***"
    assert preview("word", "hunter2") == "'hunter2'"


def restored(scene, **options):
    snapshot = capture(scene, reducers={})
    buffers = tuple(memoryview(bytearray(b.view)) for b in snapshot.encoded.buffers)
    content = Content(snapshot.encoded.stream, buffers)
    return snapshot, revive(content, loops=len(scene.loops), live={}, **options)


def test_names_and_named_values_share_one_graph():
    table = [1]
    _, revived = restored(Scene({"a": table, "b": table}, values={"c": table}))

    assert revived.names["a"] == [1]
    assert revived.names["a"] is revived.names["b"]
    assert revived.values["c"] is revived.names["a"]


def test_rows_of_the_table():
    """In the order of the names; sizes count what a variable brings in."""
    names = {"small": 1, "big": np.zeros((1000, 100)), "text": "x" * 5000}

    snapshot, _ = restored(Scene(names))

    rows = {row.name: row for row in snapshot.variables}
    assert list(rows) == ["small", "big", "text"]
    assert rows["big"].shape == (1000, 100)
    assert rows["big"].size_bytes >= 800_000
    assert 5000 <= rows["text"].size_bytes < 6000
    assert rows["small"].size_bytes < 200
    assert rows["small"].type == "int"


def test_a_snapshot_holds_none_of_the_objects_that_it_was_taken_of():
    """It is written beside the program: an object that ends meanwhile ends in its own thread."""

    class Thing:
        pass

    thing = Thing()
    names = {"x": [thing], "array": np.zeros(100_000)}
    gone = weakref.ref(thing)
    snapshot = capture(Scene(names, classes={"Thing": Thing}), reducers={})

    names.clear()
    del thing

    assert gone() is None
    assert snapshot.encoded.buffers


def test_what_cannot_be_saved_is_a_row_and_no_root():
    generator = (k for k in range(3))
    snapshot, revived = restored(Scene({"a": 1, "g": generator}))

    assert [skip.name for skip in snapshot.skipped] == ["g"]
    assert {row.name: bool(row.skipped) for row in snapshot.variables} == {"a": False, "g": True}
    assert revived.names == {"a": 1}


def test_sharing_across_the_border_is_refused():
    """Both names are in the text; nothing mutable, nothing to refuse."""
    table = [1]

    with pytest.raises(UnpicklableError, match="pool cannot be saved .*shares an object with a"):
        capture(Scene({"a": table}, externals={"pool": {"t": table}}), reducers={})
    capture(Scene({"a": (1, "x")}, externals={"pool": {"t": (1, "x")}}), reducers={})
    capture(Scene({"a": table}, externals={"pool": {"t": [1]}}), reducers={})


def test_a_named_value_that_cannot_be_saved_is_refused():
    with pytest.raises(UnpicklableError, match="cannot save the named value chp"):
        capture(Scene({}, values={"g": (k for k in range(3))}), reducers={})


class Watches:
    """Tells, while it is saved, whether the collector is on."""

    def __init__(self):
        self.seen = []

    def __reduce__(self):
        self.seen.append(gc.isenabled())
        return Watches, ()


class Interrupts:
    """Ends a save as Ctrl-C does."""

    def __reduce__(self):
        raise KeyboardInterrupt


@pytest.fixture
def collector():
    gc.enable()
    yield
    gc.enable()


@pytest.mark.parametrize("is_on", [True, False])
def test_the_collector_waits_while_a_state_is_saved_and_is_then_as_it_was(is_on, collector):
    watch = Watches()
    (gc.enable if is_on else gc.disable)()

    capture(Scene({"x": [watch], "bad": (n for n in ())}), reducers={})

    assert [False, False] == watch.seen  # a pass for each root that fails, and the last
    assert is_on == gc.isenabled()


def test_the_collector_is_back_after_a_save_that_was_cut_short(collector):
    with pytest.raises(KeyboardInterrupt):
        capture(Scene({"x": Interrupts()}), reducers={})

    assert gc.isenabled()


class WatchesItsReturn:
    """Tells, while it is restored, whether the collector is on."""

    seen: ClassVar[list[bool]] = []

    def __setstate__(self, state):
        self.seen.append(gc.isenabled())

    def __getstate__(self):
        return {"a": 1}


@pytest.mark.parametrize("is_on", [True, False])
def test_the_collector_waits_while_a_state_is_restored_and_is_then_as_it_was(is_on, collector):
    snapshot = capture(Scene({"x": [WatchesItsReturn()]}), reducers={})
    WatchesItsReturn.seen.clear()
    (gc.enable if is_on else gc.disable)()

    revive(Content(snapshot.encoded.stream), loops=0, live={})

    assert [False] == WatchesItsReturn.seen
    assert is_on == gc.isenabled()


def test_names_that_begin_with_a_dot_are_hidden_and_part_of_the_graph():
    """They come back beside the user's own names, and share objects with these."""
    shared = [1]
    snapshot = capture(Scene({"a": shared, ".b": (shared,)}), reducers={})
    content = Content(snapshot.encoded.stream, [])

    found = revive(content, loops=0, live={})

    assert {"a"} == set(found.names)
    assert {".b"} == set(found.hidden)
    assert found.hidden[".b"][0] is found.names["a"]
