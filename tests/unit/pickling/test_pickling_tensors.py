"""Tensors, their memory, modules, optimizers and schedulers."""

from __future__ import annotations

import numpy as np
import pytest
from there_and_back import fresh

from resume.pickling import can_anchor, decode, encode

torch = pytest.importorskip("torch")


def make():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(200, 200), torch.nn.ReLU(), torch.nn.Linear(200, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    return model, optimizer, torch.optim.lr_scheduler.StepLR(optimizer, 2)


def step(model, optimizer, scheduler):
    x = torch.linspace(0, 1, 400).reshape(2, 200)
    optimizer.zero_grad()
    loss = (model(x) ** 2).mean()
    loss.backward()
    optimizer.step()
    scheduler.step()
    return float(loss.detach())


@pytest.mark.parametrize("how", ["by value", "blank", "in place"])
def test_training_goes_on_without_a_warning(how):
    """Model, optimizer and scheduler come back as one, and give the same losses."""
    model, optimizer, scheduler = make()
    for _ in range(3):
        step(model, optimizer, scheduler)
    roots = {"model": model, "optimizer": optimizer, "scheduler": scheduler, "w": model[0].weight}
    encoded = encode(roots, anchors={} if how == "by value" else roots)
    buffers = fresh(encoded)
    expected = [step(model, optimizer, scheduler) for _ in range(3)]
    living = dict(zip(("model", "optimizer", "scheduler"), make(), strict=True))

    values = decode(encoded.stream, buffers, live=living if how == "in place" else {}).values

    assert () == encoded.skipped
    three = [values[name] for name in ("model", "optimizer", "scheduler")]
    assert values["w"] is values["model"][0].weight
    assert values["w"] is values["optimizer"].param_groups[0]["params"][0]
    assert (three[0] is living["model"]) == (how == "in place")
    assert expected == [step(*three) for _ in range(3)]


@pytest.mark.parametrize("anchored", [False, True])
def test_a_save_leaves_the_program_free_to_resize_its_tensors(anchored):
    """`Tensor.numpy` would forbid it for ever; and what was lent out is the memory itself."""
    tensor = torch.arange(40_000.0)
    encoded = encode({"x": [tensor]}, anchors={"x": tensor} if anchored else {})
    (lent,) = encoded.buffers
    tensor[1] = -5

    assert -5 == np.frombuffer(lent.view, np.float32)[1]
    del encoded, lent
    tensor.resize_(80_000)

    assert -5 == tensor[1]
    assert (80_000,) == tensor.shape


@pytest.mark.parametrize("anchored", [False, True])
@pytest.mark.parametrize("size", [10, 40_000])
def test_one_memory_stays_one(size, anchored):
    """Views of a tensor, an array under a tensor, and a tensor under an array."""
    array, tensor = np.arange(float(size)), torch.arange(float(size))
    roots = {
        "array": array,
        "over": torch.from_numpy(array),
        "tail": torch.from_numpy(array)[2:].view(2, -1),
        "tensor": tensor,
        "under": tensor.numpy(),
        "part": [tensor[3:]],
    }
    keep = {name: thing for name, thing in roots.items() if can_anchor(thing)} if anchored else {}
    encoded = encode(roots, anchors=keep)

    values = decode(encoded.stream, fresh(encoded)).values

    values["array"][2] = -1
    assert -1 == values["over"][2] == values["tail"][0, 0]
    values["tensor"][3] = -2
    assert -2 == values["under"][3] == values["part"][0][0]
    if size > 10_000 and not anchored:
        assert 2 == len(encoded.buffers)


def test_kinds_of_tensors(again):
    roots = {
        "sparse": torch.eye(3).to_sparse(),
        "conjugate": torch.ones(2, dtype=torch.complex64).conj() * 1j,
        "half": torch.ones(3, dtype=torch.bfloat16),
        "empty": torch.empty(0, 3),
        "scalar": torch.tensor(5),
        "flags": torch.tensor([True, False]),
        "strided": torch.arange(12).reshape(3, 4).t(),
        "leaf": torch.ones(2, requires_grad=True),
    }

    values = again(**roots)

    for name, tensor in roots.items():
        made = values[name]
        assert (tensor.dtype, tensor.shape, tensor.requires_grad) == (
            made.dtype,
            made.shape,
            made.requires_grad,
        )
        assert torch.equal(tensor.to_dense(), made.to_dense()), name
    assert (1, 4) == values["strided"].stride()


def test_gradients_and_generators(again):
    weight = torch.nn.Parameter(torch.ones(3))
    (weight * 2).sum().backward()
    generator = torch.Generator().manual_seed(5)

    values = again(w=weight, grad=weight.grad, g=generator, own=torch.default_generator)

    assert values["w"].grad is values["grad"]
    assert torch.default_generator is values["own"]
    assert torch.equal(
        torch.rand(3, generator=values["g"]),
        torch.rand(3, generator=torch.Generator().manual_seed(5)),
    )
