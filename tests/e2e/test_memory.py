"""How much memory a restore takes beside the state, in a process of its own."""

from __future__ import annotations

import sys

import pytest

pytestmark = [
    pytest.mark.untraced,
    pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc"),
]

MIB = 1 << 20
SIZE = 256
"""Of the state, in MiB."""
BESIDE = 64 + 16
"""MiB that a restore may take besides: 64, and 16 for code that is imported and freed heap."""

PROGRAM = """
import sys
import numpy as np
from resume import Checkpoint

PEAKS = []
SAVES = sys.argv[1] == "save"
COUNT = int(sys.argv[2])

def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))

def work():
    one = two = many = None
    if SAVES:
        dice = np.random.default_rng(0)
        one, two = (dice.random(COUNT // 4) for _ in range(2))
        many = [dice.random(COUNT // 2 // 64) for _ in range(64)]
    chp = Checkpoint("work", folder="store", rate=0 if SAVES else 1e9, fsync=False)
    PEAKS.append(peak())
    if not chp.restore():
        assert SAVES
    PEAKS.append(peak())
    for i in chp.loop(range(4)):
        if SAVES and i == 2:
            break
        if not SAVES:
            PEAKS.append(peak())
            break
    return sum(float(a.sum()) for a in (one, two, *many))

total = work()
print(total, *PEAKS)
"""


@pytest.mark.timeout(120)
def test_a_restore_takes_the_state_and_little_beside(run_program):
    """Behind restore() and behind the door: the state once, not twice."""
    count = SIZE * MIB // 8
    saved = run_program(PROGRAM, "save", str(count), timeout=100)
    assert saved.returncode == 0, saved.stderr

    again = run_program(PROGRAM, "restore", str(count), timeout=100)

    assert again.returncode == 0, again.stderr
    total, *kib = map(float, again.stdout.split())
    assert total == float(saved.stdout.split()[0])
    before, restored, at_door = (one / 1024 for one in kib)
    assert SIZE <= restored - before <= SIZE + BESIDE
    assert at_door - before <= SIZE + BESIDE
