"""Every example, killed by SIGKILL from outside at random moments, ends with the same output."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from processes import environment, run_program

EXAMPLES = Path(__file__).parents[2] / "examples"
KILLS = 10
SIZES = {
    "primes": "6000",
    "digits_sgd": "150",
    "torch_training": "5",
    "trainer_class": "200",
    "module_script": "80",
    "word_count": "250",
    "grid_search": "60",
    "grid_on_dask": "60",
    "grid_on_ray": "60",
}
"""The argument that makes each one run for about half a second or more beyond its imports."""
MARKS = {
    "torch_training": [],
    "grid_search": pytest.mark.slow,
    "grid_on_dask": [pytest.mark.slow, pytest.mark.timeout(1800)],  # both take long to start
    "grid_on_ray": [pytest.mark.slow, pytest.mark.timeout(1800)],
}
NEEDS = {
    "digits_sgd": ["sklearn"],
    "torch_training": ["torch", "sklearn"],
    "grid_search": ["sklearn"],
    "grid_on_dask": ["sklearn", "distributed"],
    "grid_on_ray": ["sklearn", "ray"],
}


def test_every_example_is_killed_here():
    """No example is left out of the test below."""
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(SIZES)


@pytest.mark.parametrize("name", SIZES)
def test_example_is_short_and_says_how(name):
    """Under 40 lines, and the first one says how to run it and how to kill it."""
    lines = (EXAMPLES / f"{name}.py").read_text().splitlines()

    assert len(lines) < 40
    assert f"Run: python examples/{name}.py" in lines[0]
    assert "Kill: " in lines[0]


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "name",
    # PyTorch is not installed for every Python; three processes import scikit-learn at each start
    [
        pytest.param(name, marks=MARKS[name] if name in MARKS else pytest.mark.shared)
        for name in SIZES
    ],
)
def test_killed_ten_times_the_output_is_the_same(tmp_path, name):
    """Ten kills at moments spread over the whole run; each run to the end prints the same bytes."""
    for library in NEEDS.get(name, ()):
        pytest.importorskip(library)
    program = [EXAMPLES / f"{name}.py", SIZES[name]]
    plain = run_program(program, cwd=tmp_path, env=environment(RESUME_DISABLE="1"))
    store = tmp_path / "store"
    env = environment(RESUME_DIR=str(store), RESUME_RATE="0.05")
    whole = run_program(program, cwd=tmp_path, env=env)
    assert (plain.code, whole.code) == (0, 0), plain.stderr + whole.stderr
    assert whole.stdout == plain.stdout
    shutil.rmtree(store)

    dice = random.Random(name)
    kills = kills_with_a_save = ends = 0
    slower = 1.0  # the moments are of the clock, and the machine may be busy by now
    while kills < KILLS or kills_with_a_save < KILLS // 4 or not ends:
        is_enough = kills >= KILLS and kills_with_a_save >= KILLS // 4
        # In tenths of the run, in an order of the dice: early, late, and in between.
        moment = whole.seconds * slower * (dice.choice(range(4, 10)) + dice.random()) / 10
        ended = run_program(
            program, cwd=tmp_path, env=env, kill_after_s=None if is_enough else moment
        )
        if ended.killed:
            kills += 1
            has_saved = bool(list(store.rglob("*.manifest.json")))
            kills_with_a_save += has_saved
            slower *= 1.0 if has_saved else 1.1
            continue
        ends += 1
        slower *= 0.9  # the whole run may have been timed while the machine was busy
        assert ended.code == 0, ended.stderr
        assert ended.stdout == plain.stdout, ended.stderr
        shutil.rmtree(store)
