"""Training that is killed around `backward()` has the gradients of one run."""

from __future__ import annotations

import pytest
from reruns import resumed

pytestmark = pytest.mark.untraced

SCRIPT = """
import os, resume, torch
torch.manual_seed(1)
torch.set_num_threads(1)
model = torch.nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(3):
    optimizer.zero_grad()
    resume.save()
    loss = model(torch.randn(3, 2)).square().sum()
    resume.save()
    if step == 1 and os.path.exists("die"):
        os.unlink("die")
        os._exit(9)
    loss.backward()
    resume.save()
    optimizer.step()
    print(step, loss.item(), model.weight.grad.sum().item(), torch.rand(1).item(), flush=True)
"""


def test_a_save_waits_for_backward(tmp_path):
    """Between the computation of a loss and its `backward()` the last save before stands."""
    pytest.importorskip("torch")
    for name in ("killed", "plain"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "script.py").write_text(SCRIPT)
    (tmp_path / "killed" / "die").touch()
    assert resumed(tmp_path / "killed", "script.py").returncode == 9

    last = resumed(tmp_path / "killed", "script.py")

    assert last.returncode == 0, last.stderr
    assert "resuming script at line 9" in last.stderr
    assert resumed(tmp_path / "plain", "script.py").returncode == 0
    logs = [(tmp_path / name / "log").read_text() for name in ("killed", "plain")]
    assert logs[0] == logs[1]
    assert logs[0].count("\n") == 3
