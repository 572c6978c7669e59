"""Context managers exit what was entered before the save, or are entered again."""

from __future__ import annotations

import contextlib
import decimal
import io
import threading
import unittest.mock
import warnings

import numpy as np
import pytest

from resume.reentry.contexts import Entered, acts_on_process, delegate


class Noted:
    def __init__(self, answer=None):
        self.answer = answer
        self.seen = []

    def __enter__(self):
        self.seen.append("in")
        return 5

    def __exit__(self, kind, error, trace):
        self.seen.append(kind)
        return self.answer


def test_what_was_entered_is_exited_and_not_entered():
    manager = Noted()

    with Entered(manager) as held:
        assert held is manager

    assert [None] == manager.seen


def test_an_error_reaches_the_manager_and_its_answer_counts():
    swallowing, raising = Noted(answer=True), Noted()

    with Entered(swallowing):
        raise KeyError("a")
    with pytest.raises(KeyError), Entered(raising):
        raise KeyError("a")

    assert [KeyError] == swallowing.seen == raising.seen


def test_the_class_is_asked_not_the_instance():
    """As `with` does: an attribute of the same name is none of its business."""
    manager = Noted()
    manager.__exit__ = None

    with Entered(manager):
        pass

    assert [None] == manager.seen


@pytest.mark.parametrize(
    "manager",
    [
        threading.Lock(),
        threading.RLock(),
        threading.Condition(),
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        contextlib.chdir("."),
        np.errstate(all="ignore"),
        np.printoptions(precision=3),
        unittest.mock.patch("sys.argv", []),
        unittest.mock.patch.dict({}),
    ],
    ids=lambda manager: type(manager).__qualname__,
)
def test_what_acts_on_the_process_is_entered_again(manager):
    assert acts_on_process(manager)


@contextlib.contextmanager
def own():
    yield


@pytest.mark.parametrize(
    "manager",
    [
        Noted(),
        own(),
        contextlib.suppress(KeyError),
        contextlib.nullcontext(),
        contextlib.ExitStack(),
        contextlib.closing(Noted()),
        threading.Semaphore(),
        decimal.localcontext(),
        io.StringIO(),
        None,
    ],
    ids=lambda manager: type(manager).__qualname__,
)
def test_all_others_are_exited_as_they_were_saved(manager):
    """A semaphore counts: its state holds that it was taken."""
    assert not acts_on_process(manager)


def test_what_torch_does_to_the_process_is_done_again():
    torch = pytest.importorskip("torch")

    for manager in (
        torch.no_grad(),
        torch.enable_grad(),
        torch.inference_mode(),
        torch.set_grad_enabled(False),
        torch.autocast("cpu"),
        torch.random.fork_rng(),
    ):
        assert acts_on_process(manager), manager
    torch.set_grad_enabled(True)


# ---------------------------------------------------------------- delegation


def talk():
    answers = []
    for question in ("first", "second", "third"):
        try:
            answers.append((yield question))
        except KeyError as error:
            answers.append(error.args[0])
    return answers


def begun(inner):
    """The generator that stands for *inner*, which is suspended at its first yield, asked once."""
    next(inner)
    outer = delegate(inner)
    next(outer)
    return outer


def result_of(act):
    with pytest.raises(StopIteration) as caught:
        act()
    return caught.value.value


def test_what_is_sent_at_the_first_yield_reaches_the_inner_generator():
    outer = begun(talk())

    assert "second" == outer.send(1)
    assert "third" == outer.send(2)
    assert [1, 2, 3] == result_of(lambda: outer.send(3))


def test_what_is_thrown_at_the_first_yield_reaches_the_inner_generator():
    outer = begun(talk())

    assert "second" == outer.throw(KeyError("a"))
    assert "third" == next(outer)
    assert ["a", None, "b"] == result_of(lambda: outer.throw(KeyError("b")))


def test_an_error_that_the_inner_generator_does_not_take_comes_out():
    outer = begun(talk())

    with pytest.raises(ValueError, match="x"):
        outer.throw(ValueError("x"))


def test_closing_reaches_the_inner_generator():
    ended = []

    def inner():
        try:
            yield 1
        finally:
            ended.append(True)

    held = inner()
    begun(held).close()

    assert [True] == ended
    assert held.gi_frame is None


def test_plain_iterators_are_delegated_to_as_well():
    walk = iter([1, 2, 3])
    outer = begun(walk)

    assert [2, 3] == list(outer)

    outer = begun(iter([1]))
    with pytest.raises(KeyError):
        outer.throw(KeyError("a"))
    begun(iter([1, 2])).close()
