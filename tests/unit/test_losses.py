"""What a save warns of: variables that it leaves out, and tensors whose graph it cannot keep."""

from __future__ import annotations

import warnings

import pytest

from resume import Checkpoint, ResumeWarning, UnpicklableError

torch = pytest.importorskip("torch")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("RESUME_DIR", str(tmp_path))
    return tmp_path


def texts(caught):
    return [str(each.message) for each in caught if each.category is ResumeWarning]


def accumulate(rounds, *, goes_back, **options):
    """The loss of all rounds, with `backward()` behind each or behind all."""
    chp = Checkpoint("accumulated", **options)
    weight = torch.ones(3, requires_grad=True)
    total = torch.zeros(())
    chp.restore()
    for _ in chp.loop(range(rounds)):
        total = total + (weight * weight).sum()
        if goes_back:
            total.backward()
            total = total.detach()
        chp.save()
    return total, weight.grad


@pytest.mark.usefixtures("folder")
def test_a_graph_that_is_still_needed_is_warned_of_once():
    """It names the variable, and says what to do; the values are saved."""
    with pytest.warns(ResumeWarning) as caught:
        accumulate(3, goes_back=False)

    (text,) = texts(caught)
    assert "cannot save the graph of a tensor in 'total'" in text
    assert "Save behind backward()" in text


@pytest.mark.usefixtures("folder")
def test_a_graph_that_backward_has_gone_through_is_none():
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResumeWarning)
        total, grad = accumulate(3, goes_back=True)

    assert total.item() == 9.0
    assert grad.tolist() == [6.0] * 3


def keep(thing, **options):
    chp = Checkpoint("kept", **options)
    chp.restore()
    chp.save()


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    "within",
    [
        lambda loss: [loss],
        lambda loss: {"loss": loss},
        lambda loss: lambda: loss,
        lambda loss: (loss, loss.detach()),
        lambda loss: loss[0],
    ],
    ids=["list", "dict", "closure", "tuple", "view"],
)
def test_wherever_the_tensor_is(within):
    loss = torch.ones(2, requires_grad=True) * 2

    with pytest.warns(ResumeWarning, match="a tensor in 'thing'"):
        keep(within(loss * loss))


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    "plain",
    [
        lambda: torch.ones(2),
        lambda: torch.ones(2, requires_grad=True),
        lambda: torch.nn.Linear(2, 2),
        lambda: torch.nn.Linear(2, 2)(torch.ones(2)).detach(),
    ],
    ids=["tensor", "leaf", "module", "detached"],
)
def test_nothing_is_said_of_tensors_without_a_graph(plain):
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResumeWarning)
        keep(plain())


def test_strict_writes_nothing(folder):
    with pytest.raises(UnpicklableError, match="Nothing was written"):
        accumulate(1, goes_back=False, strict=True)

    assert not list(folder.rglob("*.manifest.json"))


class Device:
    def __reduce__(self):
        raise TypeError("it is held by the system")


@pytest.mark.usefixtures("folder")
def test_a_variable_may_be_warned_of_for_both():
    """What is left out has no values; the other is of its graph only."""

    def mixed():
        chp = Checkpoint("mixed")
        total = torch.ones(2, requires_grad=True) * 2
        device = Device()
        chp.restore()
        chp.save()
        chp.save()
        return total, device

    with pytest.warns(ResumeWarning) as caught:
        mixed()

    assert len(texts(caught)) == 2
    assert any("cannot save device" in text and "left out" in text for text in texts(caught))
    assert any("in 'total'" in text for text in texts(caught))
