"""Whether `backward()` on a tensor could still reach what it was computed of."""

from __future__ import annotations

import pytest

from resume.pickling.tensors import has_open_graph

torch = pytest.importorskip("torch")


@pytest.fixture
def model():
    torch.manual_seed(1)
    return torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Tanh(), torch.nn.Linear(3, 1))


def loss_of(model):
    return torch.nn.functional.mse_loss(model(torch.ones(4, 2)), torch.ones(4, 1))


def test_a_graph_is_open_until_backward_has_gone_through(model):
    output = model(torch.ones(4, 2))
    loss = output.square().sum()
    assert [has_open_graph(output), has_open_graph(loss)] == [True, True]

    loss.backward()

    assert [has_open_graph(output), has_open_graph(loss)] == [False, False]


def test_what_has_no_graph_has_no_open_one(model):
    with torch.no_grad():
        unseen = loss_of(model)

    plain = [loss_of(model).detach(), model[0].weight, torch.ones(2), unseen]

    assert [has_open_graph(each) for each in plain] == [False] * 4


def test_a_graph_that_is_kept_stays_open(model):
    loss = loss_of(model)

    loss.backward(retain_graph=True)

    assert has_open_graph(loss)


def test_a_graph_that_keeps_no_values_stays_open(model):
    """A sum needs none: any number of calls go through it."""
    total = sum(each.sum() for each in model.parameters())
    total.backward()

    assert has_open_graph(total)
    total.backward()


def test_a_value_that_was_never_kept_tells_nothing(model):
    """With a weight that does not learn, the layer keeps none of its operands for the bias."""
    model[2].weight.requires_grad_(False)
    output = model[2](torch.ones(4, 3))

    assert has_open_graph(output)


def test_a_sum_of_losses_is_open_while_its_last_one_is(model):
    """As programs add them up to print them."""
    total, found = torch.zeros(()), []
    for _ in range(3):
        loss = loss_of(model)
        total = total + loss
        found.append(has_open_graph(total))
        loss.backward()
        found.append(has_open_graph(total))

    assert found == [True, False] * 3


def test_nothing_is_computed_to_look(model):
    """Values that the program keeps elsewhere, or computes anew, are not asked for."""
    asked = []

    def unpack(value):
        asked.append(1)
        return value

    with torch.autograd.graph.saved_tensors_hooks(lambda value: value, unpack):
        loss = loss_of(model)

    assert has_open_graph(loss)
    assert asked == []
    loss.backward()
    assert asked
    assert not has_open_graph(loss)


class Twice(torch.autograd.Function):
    """A function of the program's own."""

    @staticmethod
    def forward(context, value):
        context.save_for_backward(value)
        return value * 2

    @staticmethod
    def backward(context, gradient):
        return gradient * 2 + 0 * context.saved_tensors[0]


def test_functions_of_the_program_are_looked_through(model):
    loss = Twice.apply(model(torch.ones(4, 2))).sum()
    assert has_open_graph(loss)

    loss.backward()

    assert not has_open_graph(loss)


def test_a_long_chain_is_no_recursion(model):
    total = torch.zeros(())
    for _ in range(3000):
        total = total + model[0].bias.sum()

    assert has_open_graph(total)
