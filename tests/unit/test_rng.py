"""The table of random generators."""

from __future__ import annotations

import importlib.util
import pickle
import random
import sys
import types

import numpy as np
import pytest

from resume import rng


def draw():
    return random.random(), random.gauss(0, 1), np.random.rand(), np.random.normal()


def test_the_same_numbers_come_again():
    """A half-used pair of normal numbers included."""
    random.gauss(0, 1)
    np.random.normal()
    state = pickle.loads(pickle.dumps(rng.capture()))
    expected = [draw() for _ in range(3)]

    rng.apply(state)

    assert expected == [draw() for _ in range(3)]


def test_torch_numbers_come_again():
    torch = pytest.importorskip("torch")
    state = rng.capture()
    expected = torch.rand(3)

    rng.apply(state)

    assert torch.equal(expected, torch.rand(3))


def test_only_imported_libraries_are_asked(run_program):
    ended = run_program(
        """
        import sys
        before = "numpy" in sys.modules
        from resume import rng
        state = rng.capture()
        assert "torch" not in sys.modules
        assert "torch" not in state
        rng.apply(state)
        print(sorted(state))
        """
    )

    assert 0 == ended.returncode, ended.stderr
    assert "random" in ended.stdout


def test_applying_imports_what_the_state_names(run_program):
    """The state of numpy is applied though the program has not imported it yet."""
    ended = run_program(
        """
        import pickle, random, sys
        from resume import rng
        import numpy as np
        np.random.seed(1)
        state = rng.capture()
        rng.apply(state)
        print(np.random.rand() == (rng.apply(state), np.random.rand())[1])
        """
    )

    assert "True\n" == ended.stdout, ended.stderr


def test_a_library_that_is_missing_is_named_and_the_rest_is_set():
    state = rng.capture() | {"no_such_library_here": None}
    expected = draw()

    with pytest.raises(ImportError, match="no_such_library_here"):
        rng.apply(state)

    assert expected == draw()


def test_a_library_that_another_thread_imports_just_now_is_left_out(monkeypatch):
    """It is in `sys.modules` before it is whole, and the program cannot have drawn from it."""
    half = types.ModuleType("numpy.random")
    half.__spec__ = importlib.util.spec_from_loader("numpy.random", None)
    half.__spec__._initializing = True
    monkeypatch.setitem(sys.modules, "numpy.random", half)

    assert "numpy.random" not in rng.capture()
