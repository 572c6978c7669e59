"""PyTorch: a training run that is killed and rerun ends bit for bit where it would have."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
from processes import environment

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs torch"),
    pytest.mark.timeout(300),
]

# Importing torch takes seconds, so one process does it, and forks a child for each run.
NURSE = """
import json, os, runpy, sys, time, traceback, warnings
import torch, torch.utils.data
import resume

# torch imports a good deal at the first optimizer; a backward pass here would forbid those of forks
torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))]).zero_grad()
import torch._dynamo
warnings.simplefilter("always")
for line in sys.stdin:
    job = json.loads(line)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.dup2(os.open("out", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
            os.dup2(os.open("err", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
            os.environ.update(job["env"])
            sys.argv[:] = [job["program"]]
            torch.set_num_threads(1)
            runpy.run_path(job["program"], run_name="__main__")
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(code)
    if job["kill_after_s"]:
        time.sleep(job["kill_after_s"])
        os.kill(child, 9)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""

PRELUDE = """
import hashlib, os, signal
import numpy as np
import torch
from torch import nn
from resume import Checkpoint

moments = int(os.environ.get("KILL_AT", "0"))

def moment():
    "The run dies here by SIGKILL when it comes by for the n-th time."
    global moments
    moments -= 1
    if moments == 0:
        os.kill(os.getpid(), signal.SIGKILL)

def digest(*things):
    "Of all bytes of the tensors, numbers and texts in *things*."
    total = hashlib.sha256()
    def add(thing):
        if isinstance(thing, torch.Tensor):
            total.update(repr((thing.shape, thing.dtype)).encode())
            total.update(thing.detach().contiguous().numpy().tobytes())
        elif isinstance(thing, dict):
            [add(part) for item in sorted(thing.items(), key=repr) for part in item]
        elif isinstance(thing, list | tuple):
            [add(part) for part in thing]
        else:
            total.update(repr(thing).encode())
    add(things)
    return total.hexdigest()
"""


class Runs:
    """Programs in forked children that have torch already."""

    def __init__(self, process):
        self.process = process
        self.stderr = ""

    def run(self, *, kill_at=0, kill_after_s=0.0, **env):
        """Run the program; its exit status and its output."""
        job = {
            "program": "program.py",
            "env": {"KILL_AT": str(kill_at), **env},
            "kill_after_s": kill_after_s,
        }
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        code = int(self.process.stdout.readline())
        self.stderr = Path("err").read_text()
        return code, Path("out").read_text()


@pytest.fixture
def runs(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", NURSE],
        cwd=tmp_path,
        env=environment(RESUME_DIR=str(tmp_path / "store")),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    yield Runs(process)
    process.stdin.close()
    process.wait(timeout=60)
    process.stdout.close()


def write(program):
    Path("program.py").write_text(PRELUDE + program)


TRAINING = """
from torch.utils.data import DataLoader, TensorDataset

def make(seed):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3),
                         nn.Linear(16, 3))

def train(epochs):
    inputs = torch.randn(40, 6, generator=torch.Generator().manual_seed(5))
    data = TensorDataset(inputs, inputs.sum(1).gt(0).long() + inputs[:, 0].gt(0).long())
    loader = DataLoader(data, batch_size=10, shuffle=True)
    model = make(0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    schedule = torch.optim.lr_scheduler.SequentialLR(optimizer, [
        torch.optim.lr_scheduler.LinearLR(optimizer, total_iters=4),
        torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=8),
    ], milestones=[4])
    losses = []
    with Checkpoint("train", rate=RATE, exclude=["inputs", "data", "loader"]) as chp:
        for epoch in chp.loop(range(epochs)):
            for rows, labels in chp.loop(lambda: loader):
                loss = nn.functional.cross_entropy(model(rows), labels)
                optimizer.zero_grad()
                loss.backward()
                moment()
                optimizer.step()
                schedule.step()
                losses.append(loss.item())
                moment()
    return model, optimizer, schedule, losses

model, optimizer, schedule, losses = train(3)
print("losses", losses)
print("weights", digest(model.state_dict()))
print("optimizer", digest(optimizer.state_dict()))
print("schedule", digest(schedule.last_epoch, schedule.get_last_lr()))
print("random", digest(torch.get_rng_state()), torch.rand(3).tolist())
"""
MOMENTS = 24  # two for each batch


def only_ours(stderr):
    """Nothing but the line that says what was restored."""
    lines = stderr.splitlines()
    return all(line.startswith("↻ resuming") for line in lines)


@pytest.mark.parametrize("every_other", [False, True])
def test_killed_at_every_moment_a_training_ends_bit_for_bit_equal(runs, every_other):
    """AdamW, two schedules, a shuffling DataLoader, dropout, batch norm: all as if uninterrupted.

    And the resumed run says nothing but that it resumes: no warning of torch about an optimizer
    whose step was not called.
    """
    rate = '"1h", iterations=3' if every_other else "0"
    write(TRAINING.replace("RATE", f"{rate}, background=False"))
    code, plain = runs.run(RESUME_DISABLE="1")
    assert code == 0, runs.stderr
    assert runs.stderr == ""

    for kill_at in range(1 + every_other, MOMENTS + 1, 3):
        subprocess.run(["rm", "-rf", "store"], check=True)
        assert runs.run(kill_at=kill_at) == (-9, "")

        code, out = runs.run()

        assert (code, out) == (0, plain), f"killed at {kill_at}: {runs.stderr}"
        assert only_ours(runs.stderr), runs.stderr
        saved = kill_at > (6 if every_other else 2)
        assert bool(runs.stderr) == saved, kill_at


def test_killed_again_and_again_from_outside(runs):
    """SIGKILL at whatever instruction it falls on, many times in one job."""
    write(TRAINING.replace("RATE", "0").replace("train(3)", "train(25)"))
    code, plain = runs.run(RESUME_DISABLE="1")
    assert code == 0

    kills = 0
    while kills < 6:
        code, out = runs.run(kill_after_s=0.2 + 0.13 * kills)
        assert only_ours(runs.stderr), runs.stderr
        if code == 0:
            break
        kills += 1
        assert code == -9, runs.stderr
    if code:
        code, out = runs.run()

    assert (code, out) == (0, plain)
    assert only_ours(runs.stderr), runs.stderr
    assert "resuming train" in runs.stderr
    assert kills


def test_shared_storages_and_tied_weights_stay_shared(runs):
    """Views of a storage, tied weights, tensor and array over one memory: so they come back."""
    write("""
def work():
    torch.manual_seed(1)
    base = torch.arange(30_000.0)
    view, turned, part = base.view(100, 300), base.view(300, 100).t(), base[7:11]
    array = base.numpy()
    small = torch.zeros(4); row = small[1:3]
    emb = nn.Embedding(50, 8); out = nn.Linear(8, 50, bias=False)
    out.weight = emb.weight
    both = nn.ModuleDict({"emb": emb, "out": out})
    frozen = nn.Parameter(torch.ones(3), requires_grad=False)
    half = torch.ones(20_000, dtype=torch.bfloat16)
    n = 0
    chp = Checkpoint("work", rate=0)
    chp.restore()
    while n < 4:
        n += 1
        base += 1
        small[1] = n
        with torch.no_grad():
            emb.weight[0] += 1
        moment()
        chp.sync()
    view[0, 8] = -5
    array[9] = -6
    row[1] = -7
    with torch.no_grad():
        emb.weight[3] = 9
    assert out.weight is emb.weight and both["out"].weight is emb.weight
    assert len(list(both.parameters())) == 1
    assert base[8] == -5 and part[1] == -5 and turned[8, 0] == -5 and part[2] == -6
    assert view.stride() == (300, 1) and turned.stride() == (1, 100)
    assert small[2] == -7 and not frozen.requires_grad and half.dtype == torch.bfloat16
    print(digest(base, view, turned, part, small, row, emb.weight, frozen, half.float()), n)
work()
""")
    code, plain = runs.run(RESUME_DISABLE="1")
    assert code == 0, runs.stderr

    for kill_at in range(1, 5):
        subprocess.run(["rm", "-rf", "store"], check=True)
        assert runs.run(kill_at=kill_at)[0] == -9
        assert runs.run() == (0, plain), runs.stderr
        assert only_ours(runs.stderr)


def test_the_callers_model_is_restored_in_place(runs):
    """The model and the optimizer are arguments: the caller's own objects hold the result."""
    write("""
def fit(model, optimizer, batches):
    chp = Checkpoint("fit", rate=0)
    n = 0
    chp.restore()
    while n < batches:
        n += 1
        loss = model(torch.full((2, 4), float(n))).pow(2).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        moment()
        chp.sync()

torch.manual_seed(0)
model = nn.Linear(4, 4)
optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9)
weight, pointer = model.weight, model.weight.data_ptr()
copy = model.weight.detach()            # another tensor over the same storage
fit(model, optimizer, 5)
assert model.weight is weight and optimizer.param_groups[0]["params"][0] is weight
assert weight.data_ptr() == pointer
assert torch.equal(copy, weight)
assert optimizer.state[weight]["momentum_buffer"].shape == (4, 4)
before = weight.clone()
optimizer.zero_grad(); model(torch.ones(1, 4)).sum().backward(); optimizer.step()
assert not torch.equal(before, weight)  # the optimizer still trains the caller's weights
print(digest(model.state_dict(), optimizer.state_dict()))
""")
    code, plain = runs.run(RESUME_DISABLE="1")
    assert code == 0, runs.stderr

    for kill_at in range(1, 6):
        subprocess.run(["rm", "-rf", "store"], check=True)
        assert runs.run(kill_at=kill_at)[0] == -9
        assert runs.run() == (0, plain), runs.stderr
        assert only_ours(runs.stderr)


def test_generators_of_torch_go_on(runs):
    """A torch.Generator in a variable and the global one draw on where they were."""
    write("""
def work():
    own = torch.Generator().manual_seed(3)
    torch.manual_seed(4)
    drawn = []
    with Checkpoint("work", rate=0) as chp:
        for k in chp.loop(range(5)):
            drawn.append((torch.rand(1, generator=own).item(), torch.rand(1).item()))
            moment()
    print(drawn)
work()
""")
    code, plain = runs.run(RESUME_DISABLE="1")
    assert code == 0, runs.stderr

    for kill_at in range(1, 6):
        subprocess.run(["rm", "-rf", "store"], check=True)
        assert runs.run(kill_at=kill_at)[0] == -9
        assert runs.run() == (0, plain), runs.stderr
        assert only_ours(runs.stderr)
