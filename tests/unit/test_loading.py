"""Looking at a saved run from elsewhere."""

from __future__ import annotations

import os
import random
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from resume import Checkpoint, ConfigError, IntegrityError, load
from resume.store import Store


def fit(n):
    weights = np.arange(100_000.0)
    words = ["a"]
    same = words
    i = 0
    chp = Checkpoint("fit", rate=0)
    chp.restore()
    while i < n:
        i += 1
        words.append(str(i))
        chp.save(best=i * 10)


def files():
    return {path: path.stat().st_mtime_ns for path in Path(".checkpoints").rglob("*")}


def test_the_variables_of_the_newest_generation():
    """Names and named values, read-only, with the same sharing; nothing is written or locked."""
    fit(3)
    before = files()

    saved = load("fit")

    assert set(saved) == {"weights", "words", "same", "i", "best", "n"}
    assert (saved["i"], saved["best"], saved["words"]) == (3, 30, ["a", "1", "2", "3"])
    assert saved["same"] is saved["words"]
    assert saved["weights"].sum() == np.arange(100_000.0).sum()
    assert saved.generation == 3
    assert len(saved) == 6
    assert repr(saved).startswith("<SavedVariables fit gen=3: ")
    assert "weights" in saved
    with pytest.raises(TypeError):
        saved["i"] = 5
    with pytest.raises(KeyError):
        saved["nothing"]
    assert files() == before


def test_an_earlier_generation():
    fit(3)

    assert load("fit", generation=2)["i"] == 2
    with pytest.raises((ConfigError, IntegrityError), match="7"):
        load("fit", generation=7)


def test_while_another_run_holds_it():
    """A run that is live can be looked at."""
    fit(2)
    holder = Store(Path(".checkpoints").absolute(), "fit")
    holder.lock()

    assert load("fit")["i"] == 2
    holder.unlock()


def test_no_random_generator_is_set():
    random.seed(1)
    np.random.seed(1)
    fit(1)
    random.seed(2)
    np.random.seed(2)
    now = random.getstate(), np.random.get_state()[1].tolist()

    load("fit")

    assert (random.getstate(), np.random.get_state()[1].tolist()) == now


def test_an_unknown_name_tells_the_known_ones():
    fit(1)

    with pytest.raises(ConfigError) as caught:
        load("fti")

    assert "there is no checkpoint 'fti'" in str(caught.value)
    assert "there are: fit" in str(caught.value)


def test_another_folder(tmp_path, monkeypatch):
    fit(1)
    os.rename(".checkpoints", "elsewhere")

    assert load("fit", folder="elsewhere")["i"] == 1
    monkeypatch.setenv("RESUME_DIR", str(tmp_path / "elsewhere"))
    assert load("fit")["i"] == 1


def test_a_damaged_generation_is_passed_over():
    fit(3)
    newest = max(Path(".checkpoints/fit").glob("*3-*.ckpt"))
    newest.write_bytes(newest.read_bytes()[:-50])

    assert load("fit").generation == 2
    with pytest.raises(IntegrityError):
        load("fit", generation=3)


@pytest.mark.parametrize("parts", ["class Net: pass", "@dataclass\n    class Net: w: int = 0"])
def test_stand_ins_for_classes_that_are_not_here(run_program, parts):
    """The class's name and its attributes, without the program that has it."""
    (Path("models.py")).write_text(
        "from dataclasses import dataclass\n" + textwrap.dedent(f"    {parts}\n")
    )
    done = run_program("""
        import models
        from resume import Checkpoint

        def fit():
            net = models.Net()
            net.w = [1, 2]
            nets = {"a": net}
            count = 3
            chp = Checkpoint()
            chp.restore()
            chp.save()

        fit()
    """)
    assert done.returncode == 0, done.stderr
    assert "models" not in sys.modules
    os.remove("models.py")

    saved = load("fit")

    assert saved["count"] == 3
    assert saved["net"].w == [1, 2]
    assert saved["nets"]["a"] is saved["net"]
    assert type(saved["net"]).__name__ == "Net"
    assert "models.Net" in repr(saved["net"])


def test_classes_of_the_main_script(run_program):
    done = run_program("""
        from resume import Checkpoint

        class Net:
            pass

        def fit():
            net = Net()
            net.w = 5
            chp = Checkpoint()
            chp.restore()
            chp.save()

        if __name__ == "__main__":
            fit()
    """)
    assert done.returncode == 0, done.stderr

    assert load("fit")["net"].w == 5
