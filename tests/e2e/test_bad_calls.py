"""Calls in the wrong place, with wrong parameters, or twice: an error with the remedy each."""

from __future__ import annotations

import pickle
import textwrap
import threading
from pathlib import Path

import pytest

from resume import (
    Checkpoint,
    CheckpointBusyError,
    ConfigError,
)
from resume.store import Store


def numbers(folder: Path, name: str) -> list[int]:
    """The generations of a checkpoint, newest first; fails where one of them is not whole."""
    store = Store(folder / ".checkpoints", name)
    assert store.verify() == []
    return [entry.number for entry in store.entries()]


def run_here(path: Path, source: str, function: str, *args):
    """Call *function* of a program with this text, as its file stands on disk."""
    path.write_text(textwrap.dedent(source), encoding="utf-8")
    names = {"__name__": path.stem, "__file__": str(path)}
    exec(compile(path.read_text(), str(path), "exec"), names)
    return names[function](*args)


def test_restore_forgotten(tmp_path):
    """The first sync(), due or not, refuses to go past what is there, and so does a loop."""

    def train(restores, loops=False):
        i = 0
        chp = Checkpoint("train", rate="1h")
        if restores:
            chp.restore()
            chp.save()
            return
        if loops:
            for _ in chp.loop([1]):
                pass
        chp.sync()

    train(restores=True)
    for loops in (False, True):
        with pytest.raises(ConfigError) as caught:
            train(restores=False, loops=loops)
        text = str(caught.value)
        assert "'train' has generation 1" in text
        assert "restore() was not called" in text
        assert "clean=True" in text
    assert numbers(tmp_path, "train") == [1]


def test_restore_in_a_loop_is_refused(tmp_path):
    """It belongs above the outermost chp.loop."""

    def train():
        chp = Checkpoint()
        for _ in chp.loop([1]):
            chp.restore()

    with pytest.raises(ConfigError, match=r"restore\(\) stands inside a chp.loop: move it above"):
        train()


@pytest.mark.parametrize(
    "act", [lambda chp: chp.sync(), lambda chp: chp.save(), lambda chp: chp.loop([1])]
)
def test_sync_after_the_function_returned(tmp_path, act):
    """The names are gone: the text names the function and the two remedies."""

    class Trainer:
        def __init__(self):
            self.chp = Checkpoint("t")
            self.chp.restore()

        def fit(self):
            act(self.chp)

    with pytest.raises(ConfigError) as caught:
        Trainer().fit()

    text = str(caught.value)
    assert "Trainer.__init__ has returned" in text
    assert "in the function that loops" in text
    assert "Checkpoint(of=self)" in text
    assert numbers(tmp_path, "t") == []


def test_a_block_that_has_ended(tmp_path):
    """After the with block nothing can be saved."""

    def train():
        with Checkpoint("t") as chp:
            pass
        chp.save()

    with pytest.raises(ConfigError, match="has ended"):
        train()


def loop_in_helper(chp):
    for x in chp.loop([1]):
        pass


def misplaced_helper(chp):
    loop_in_helper(chp)


def misplaced_comprehension(chp):
    return [x for x in chp.loop([1])]


def misplaced_inner_comprehension(chp):
    return [x for y in [1] for x in chp.loop([y])]


def misplaced_wrapped(chp):
    for _ in enumerate(chp.loop([1])):
        pass


def misplaced_stored(chp):
    it = chp.loop([1])
    for _ in it:
        pass


def misplaced_in_for(chp):
    for _ in range(2):
        for _ in chp.loop([1]):
            pass


def misplaced_in_while(chp):
    while True:
        for _ in chp.loop([1]):
            pass


MISPLACED = {
    "misplaced_helper": ("called in loop_in_helper", "for x in chp.loop(xs):"),
    "misplaced_comprehension": ("comprehension", "for x in chp.loop(xs): ys.append(f(x))"),
    "misplaced_inner_comprehension": ("", "for x in chp.loop(xs):"),
    "misplaced_wrapped": ("another call", "for i, x in chp.loop(enumerate(xs)):"),
    "misplaced_stored": ("stored", "for x in chp.loop(xs):"),
    "misplaced_in_for": ("a plain `for`", "Make the outer loop a chp.loop too"),
    "misplaced_in_while": ("a plain `while`", "Make the outer loop a chp.loop too"),
}


@pytest.mark.parametrize("name", MISPLACED)
def test_a_loop_in_the_wrong_place(tmp_path, name):
    """The error comes at the call, before any item, and its text holds the rewrite."""
    why, rewrite = MISPLACED[name]
    source = (
        "from resume import Checkpoint\n"
        "def loop_in_helper(chp):\n    for x in chp.loop([1]): raise AssertionError\n"
        "def train():\n    chp = Checkpoint('t', rate=0)\n    chp.restore()\n"
    )
    import inspect

    body = inspect.getsource(globals()[name]).splitlines()[1:]
    source += "\n".join(body) + "\n"

    with pytest.raises(ConfigError) as caught:
        run_here(tmp_path / "work.py", source, "train")

    text = str(caught.value)
    assert why in text
    assert rewrite in text
    assert "@resumable" in text
    assert numbers(tmp_path, "t") == []


WRONG = [
    ({"args": "callers"}, "args='callers' is unknown: choose one of 'call', 'caller', 'saved'"),
    ({"on_save_error": "ignore"}, "on_save_error='ignore' is unknown"),
    ({"on_change": "go"}, "on_change='go' is unknown"),
    ({"keep": 0}, "keep=0"),
    ({"keep": "3"}, "keep='3'"),
    ({"keep_every": 0}, "keep_every=0"),
    ({"rate": "soon"}, "rate='soon' is no duration"),
    ({"rate": -1}, "rate=-1 is no duration"),
    ({"iterations": 0}, "iterations=0"),
    ({"max_overhead": 0}, "max_overhead=0: give the part of the run time"),
    ({"max_loss": "0s"}, "max_loss='0s': give the longest time between two saves"),
    ({"max_loss": "x"}, "max_loss='x' is no duration"),
    ({"background": "no"}, "background='no': give True or False"),
    ({"memory": "lots"}, "memory='lots' is no size"),
    ({"memory": 1}, "memory=1 is too little"),
    ({"expire": "x"}, "expire='x' is no duration"),
    ({"exclude": [3]}, "exclude=[3]"),
    ({"include": 3}, "include=3"),
    ({"config": object()}, "config= goes into the manifest as JSON"),
    ({"extra": object()}, "extra= goes into the manifest as JSON"),
    ({"compress": "best"}, "compress='best'"),
    ({"compress": 99}, "compress=99"),
    ({"name": "{nobody}"}, "{nobody} is unknown here"),
    ({"name": "{data}"}, "{data} is no simple value"),
    ({"name": "{env:NO_SUCH}"}, "NO_SUCH: not set"),
    ({"name": "{"}, "is no template"),
    ({"name": ""}, "gives an empty name"),
    ({"name": 3}, "name=3"),
]


@pytest.mark.parametrize(
    ("options", "text"), WRONG, ids=[f"{next(iter(one))}{n}" for n, (one, _) in enumerate(WRONG)]
)
def test_a_wrong_parameter_is_named(tmp_path, options, text):
    """ConfigError, which is a ValueError too, at the call; no folder is made."""

    def train(data):
        Checkpoint(**options)

    with pytest.raises(ConfigError) as caught:
        train([1])

    assert text in str(caught.value)
    assert not (tmp_path / ".checkpoints").exists()
    assert isinstance(pickle.loads(pickle.dumps(caught.value)), ValueError)


def test_an_unknown_parameter_is_a_type_error(tmp_path):
    with pytest.raises(TypeError, match="rat"):
        Checkpoint("x", rat=3)


# --- two of them -------------------------------------------------------------------------------


def test_two_live_checkpoints_of_one_name(tmp_path):
    """The second is refused at once, with both makers named."""

    def outer():
        chp = Checkpoint("same")
        chp.restore()
        inner()

    def inner():
        Checkpoint("same")

    with pytest.raises(CheckpointBusyError) as caught:
        outer()

    text = str(caught.value)
    assert "outer" in text
    assert "inner" in text
    assert "name=" in text
    assert isinstance(pickle.loads(pickle.dumps(caught.value)), TimeoutError)


def test_recursion_is_refused_and_a_name_of_its_own_works(tmp_path):
    """A checkpoint entered again while it is live; `{depth}` in the name tells them apart."""

    def walk(depth, name):
        chp = Checkpoint(name)
        chp.restore()
        chp.save()
        return walk(depth - 1, name) if depth else "bottom"

    with pytest.raises(CheckpointBusyError, match="recursion"):
        walk(2, "walk")
    assert walk(2, "walk-{depth}") == "bottom"


def test_two_threads_with_one_checkpoint(tmp_path):
    """A function that runs in two threads at once is as much entered twice."""
    errors = []
    inside, leave = threading.Event(), threading.Event()

    def train():
        chp = Checkpoint("t")
        chp.restore()
        inside.set()
        leave.wait(10)

    first = threading.Thread(target=train)
    first.start()
    inside.wait(10)
    try:
        train()
    except CheckpointBusyError as why:
        errors.append(why)
    leave.set()
    first.join()

    assert len(errors) == 1
    assert "another thread" in str(errors[0])


def test_another_call_with_other_objects_is_refused_each_time(tmp_path):
    """Which of the two the state is of cannot be told; trying again does not make it so."""

    def train(model):
        chp = Checkpoint("t")
        chp.restore()
        chp.save()

    first, second = {1}, {2}
    train(first)

    for _ in range(2):
        with pytest.raises(ConfigError, match="was called before in this process"):
            train(second)
    train(first)
    assert numbers(tmp_path, "t") == [1]
