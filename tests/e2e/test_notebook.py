"""Notebook cells: the kernel is killed or interrupted, cells run again, and the work goes on."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
from processes import environment

pytestmark = pytest.mark.skipif(importlib.util.find_spec("IPython") is None, reason="needs IPython")

KERNEL = """
import json, os, sys
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance()
for cell in json.loads(sys.argv[1]):
    result = shell.run_cell(cell, store_history=True)
    error = result.error_before_exec or result.error_in_exec
    if error is not None:
        print("cell ended by", type(error).__name__, error, flush=True)
"""


def kernel(*cells, die_at=None):
    """A kernel of its own that runs *cells*; its exit status and the lines it printed."""
    done = subprocess.run(
        [sys.executable, "-c", KERNEL, json.dumps(cells)],
        env=environment(
            RESUME_DIR=str(Path("store").absolute()),
            IPYTHONDIR=str(Path("ipython").absolute()),
            DIE_AT=str(die_at),
            NO_COLOR="1",
        ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    lines = done.stdout.splitlines()
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, [line for line in lines if line.startswith(("cell ", "> "))]


IMPORTS = """
import os, random, signal
import numpy as np
from resume import Checkpoint

def die(k, how=None):
    if str(k) == os.environ["DIE_AT"]:
        os.environ["DIE_AT"] = ""
        if how is not None:
            raise how
        os.kill(os.getpid(), signal.SIGKILL)
"""

CELLS = [
    IMPORTS,
    'chp = Checkpoint("nb", rate=0, background=False)',
    """
random.seed(1)
weights = np.zeros(20_000)
seen = []
""",
    "print('>', 'resumed' if chp.restore() else 'fresh')",
    """
for k in chp.loop(range(6)):
    weights[k] = random.random()
    seen.append(k)
    die(k)
""",
    "print('>', seen, weights.sum(), random.random())",
]


@pytest.mark.parametrize("die_at", [1, 2, 5])
def test_a_killed_kernel_and_all_cells_run_again(die_at):
    """The result of the last cell is that of a kernel that was never killed."""
    code, whole = kernel(*CELLS)
    assert code == 0
    assert whole[0] == "> fresh"
    subprocess.run(["rm", "-rf", "store"], check=True)
    assert kernel(*CELLS, die_at=die_at) == (-9, ["> fresh"])

    code, again = kernel(*CELLS)

    assert code == 0
    assert again == ["> resumed", *whole[1:]]


def test_the_loop_cell_is_interrupted_and_all_cells_run_again():
    """In the same kernel: the cells make all anew, and the loop goes on at its place."""
    cells = [*CELLS[:4], CELLS[4].replace("die(k)", "die(k, KeyboardInterrupt)"), CELLS[5]]
    _, whole = kernel(*cells)
    subprocess.run(["rm", "-rf", "store"], check=True)

    code, lines = kernel(*cells[:5], *cells, die_at=3)

    assert code == 0
    assert lines == ["> fresh", "cell ended by KeyboardInterrupt ", "> resumed", *whole[1:]]


BLOCK = """
random.seed(2)
drawn = []
with Checkpoint(rate=0) as chp:
    for k in chp.loop(range(5)):
        drawn.append(random.random())
        die(k, HOW)
print('>', drawn)
"""


def test_one_cell_with_all_of_it_runs_again():
    """A block in a cell: interrupted it goes on, finished it gives its result again."""
    block = BLOCK.replace("HOW", "KeyboardInterrupt")
    _, whole = kernel(IMPORTS, block)
    subprocess.run(["rm", "-rf", "store"], check=True)

    code, lines = kernel(IMPORTS, block, block, block, die_at=2)

    assert code == 0
    assert lines == ["cell ended by KeyboardInterrupt ", *whole, *whole]
    assert len(whole) == 1


def test_one_cell_with_all_of_it_in_a_new_kernel():
    """The same after SIGKILL, under the name `notebook`."""
    block = BLOCK.replace("HOW", "None")
    _, whole = kernel(IMPORTS, block)
    subprocess.run(["rm", "-rf", "store"], check=True)
    assert kernel(IMPORTS, block, die_at=2) == (-9, [])

    assert kernel(IMPORTS, block) == (0, whole)

    assert [path.name for path in Path("store").iterdir() if path.is_dir()] == ["notebook"]


TRAIN = """
class Model:
    def __init__(self):
        self.weights = np.zeros(3)
        self.log = []

def train(model):
    random.seed(3)
    with Checkpoint("train", rate=0) as chp:
        for epoch in chp.loop(range(5)):
            model.weights += random.random()
            model.log.append(epoch)
            runs.append(epoch)
            die(epoch, KeyboardInterrupt)

runs = []
"""


def test_interrupted_training_with_a_model_made_anew():
    """`model = Model(); train(model)` once more: the new model gets the old one's state."""
    call = "model = Model(); train(model)"
    show = "print('>', model.log, model.weights.tolist())"
    _, whole = kernel(IMPORTS, TRAIN, call, show)
    subprocess.run(["rm", "-rf", "store"], check=True)

    code, lines = kernel(IMPORTS, TRAIN, call, call, show, "print('>', runs)", die_at=2)

    assert code == 0
    assert lines == [
        "cell ended by KeyboardInterrupt ",
        *whole,
        "> [0, 1, 2, 2, 3, 4]",
    ]


def test_interrupted_training_with_the_same_model():
    """`train(model)` alone once more: what the unsaved part of the item did to it is undone."""
    call = "model = Model()"
    show = "print('>', model.log, model.weights.tolist())"
    _, whole = kernel(IMPORTS, TRAIN, call, "train(model)", show)
    subprocess.run(["rm", "-rf", "store"], check=True)

    code, lines = kernel(IMPORTS, TRAIN, call, "train(model)", "train(model)", show, die_at=2)

    assert code == 0
    assert lines == ["cell ended by KeyboardInterrupt ", *whole]


def test_a_sweep_cell_is_interrupted_and_runs_again():
    """Calls told apart by an argument: finished ones give their result again, one goes on."""
    program = TRAIN.replace("def train(model):", "def train(model, seed):").replace(
        "random.seed(3)", "random.seed(seed)"
    )
    cells = [
        "models = [Model() for _ in range(3)]",
        "for seed, model in enumerate(models): train(model, seed)",
        "print('>', [m.weights.tolist() for m in models], [m.log for m in models])",
    ]
    _, whole = kernel(IMPORTS, program, *cells)
    subprocess.run(["rm", "-rf", "store"], check=True)

    code, lines = kernel(IMPORTS, program, *cells[:2], *cells, die_at=3)

    assert code == 0
    assert lines == ["cell ended by KeyboardInterrupt ", *whole]


def test_a_while_loop_over_cells():
    """`while` and `sync()` in cells: killed and all run again, and the loop cell alone again."""
    cells = [
        IMPORTS,
        'chp = Checkpoint("w", rate=0)\nn, total = 0, 0.0\nrandom.seed(5)\nchp.restore()',
        "while n < 6:\n    n += 1\n    total += random.random()\n    die(n)\n    chp.sync()",
        "print('>', n, total)",
    ]
    _, whole = kernel(*cells)
    subprocess.run(["rm", "-rf", "store"], check=True)
    assert kernel(*cells, die_at=4)[0] == -9

    assert kernel(*cells, cells[2], cells[3]) == (0, whole * 2)


def test_what_ipython_puts_into_the_namespace_is_no_state():
    """`In`, `Out`, `_1`, `_ih`, `get_ipython`: none is saved; a variable `i` is."""
    code, lines = kernel(
        "1 + 1",
        "import resume\nchp = resume.Checkpoint('x', rate=0)\ni = n = 5\nchp.restore()",
        "chp.save()",
        "_",
        "chp.save()",
        "print('>', sorted(resume.load('x')))",
    )

    assert (code, lines) == (0, ["> ['i', 'n']"])
