"""A save waits for what would be lost now, and can be saved soon."""

from __future__ import annotations

import re
import sys
import traceback

import pytest
from pieces import Piece, load
from stacks import frames_of, go_on, run_to_stop, settled, the_stop
from suspended import record_of

from resume.reentry.program import Program
from resume.reentry.records import Postponed
from resume.reentry.roots import ProgramState
from resume.reentry.waiting import OPEN_GRAPH, OPEN_TRANSACTION

TRAINING = """
from pieces import sync
import torch
torch.manual_seed(1)
model = torch.nn.Linear(2, 1)
result = []

def loss_of(model):
    return model(torch.ones(3, 2)).square().sum()

class Kept:
    pass
"""
WAITS = {
    "a variable": (
        "def main():\n    loss = loss_of(model)\n    sync()\n    loss.backward()\nmain()\n"
    ),
    "a global": "loss = loss_of(model)\nsync()\nloss.backward()\n",
    "a list": (
        "def main():\n    losses = [loss_of(model)]\n    sync()\n    losses[0].backward()\nmain()\n"
    ),
    "an attribute": "kept = Kept()\nkept.loss = loss_of(model)\nsync()\nkept.loss.backward()\n",
    "a class": "Kept.loss = loss_of(model)\nsync()\nKept.loss.backward()\n",
    "a cell": (
        "def main():\n    loss = loss_of(model)\n    def end():\n        loss.backward()\n"
        "    sync()\n    end()\nmain()\n"
    ),
    "a generator": (
        "def numbers():\n    loss = loss_of(model)\n    yield 1\n    loss.backward()\n    yield 2\n"
        "walk = numbers()\nnext(walk)\nsync()\nnext(walk)\n"
    ),
}


@pytest.mark.parametrize("what", WAITS)
def test_a_save_waits_for_a_graph_that_is_needed(what):
    """Restored without it, `backward()` would leave the gradients out and say nothing."""
    pytest.importorskip("torch")

    with pytest.raises(Postponed, match=re.escape(OPEN_GRAPH)):
        run_to_stop(TRAINING + WAITS[what])


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("    output = model(torch.ones(3, 2))\n    n = output.shape[0]\n", "n"),
        ("    output = [model(torch.ones(3, 2))]\n    n = 3\n", "n"),
        ("    loss = loss_of(model)\n    loss.backward()\n    n = 3\n", "n + 0 * loss.item()"),
    ],
    ids=["nothing reads it", "nothing reads the list of it", "backward has gone through"],
)
def test_a_save_waits_for_no_other_graph(body, expected):
    pytest.importorskip("torch")
    text = f"def main():\n{body}    sync()\n    result.append({expected})\nmain()\n"

    assert go_on(run_to_stop(TRAINING + text))["result"] == [3]


def test_a_variable_that_was_waited_for_is_saved_when_it_can_be():
    """What was wrong with it at one save says nothing of the next."""
    pytest.importorskip("torch")
    states, saved = [], []
    program = Program()

    def stop():
        inside = Piece(program, sys.modules["piece"])
        frames, running = frames_of(inside, sys._getframe(2))
        states[:] = states or [ProgramState(program, lambda each: record_of(inside, each))]
        try:
            saved.append("main: losses" in settled(states[0], frames, running).roots)
        except Postponed:
            saved.append(None)

    with the_stop(stop):
        load(
            TRAINING + "def main():\n    for turn in range(2):\n"
            "        losses = [loss_of(model)]\n        sync()\n"
            "        losses[0].backward()\n        sync()\n"
            "        losses[0].item()\nmain()\n",
            into=program,
        )

    assert saved == [None, True, None, True]


DATABASE = """
from pieces import sync
import sqlite3
result = []

class Book:
    def __init__(self):
        self.db = sqlite3.connect(":memory:")
        self.db.execute("create table t(a int)")

def main():
    book = Book()
    book.db.execute("insert into t values (1)")
    sync()
    book.db.commit()
main()
"""


def test_a_save_waits_for_a_transaction_of_an_object():
    """The object that holds the connection is asked for no less than a variable that is one."""
    with pytest.raises(Postponed, match=OPEN_TRANSACTION) as error:
        run_to_stop(DATABASE)
    frames = [frame for frame, _ in traceback.walk_tb(error.tb)]
    (main,) = (frame for frame in frames if frame.f_code.co_name == "main")
    main.f_locals["book"].db.close()
