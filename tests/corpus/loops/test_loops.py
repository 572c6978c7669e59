"""Programs that people write, each killed after every save and between saves: equal, or refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from killing import PROGRAMS, Expectation, judge, kill_everywhere, listing, run_with_kills, truth_of
from processes import environment, run_program

EXPECTED = {
    path.stem: Expectation.of(path)
    for path in sorted(PROGRAMS.glob("*.py"))
    if path.stem != "ticks"
}


def programs(*outcomes):
    return pytest.mark.parametrize(
        "name", [name for name, expected in EXPECTED.items() if expected.outcome in outcomes]
    )


@pytest.mark.shared
@programs("equal")
def test_killed_at_any_moment_the_rerun_ends_equal(nursery, scratch, name):
    """After a kill at any save or between saves, and after two more, the result is the same."""
    whole, tally = kill_everywhere(nursery, PROGRAMS / f"{name}.py", scratch)

    assert not tally.third, "\n".join(tally.third)
    assert set(tally.ends) == {"equal"}, (tally, whole.stderr)
    assert whole.report["commits"] > 0


@pytest.mark.shared
@programs("equal")
def test_killed_after_eight_first_saves_it_still_ends(nursery, scratch, name):
    """A program that dies at each first save of eight lives goes on by one save a life."""
    program = PROGRAMS / f"{name}.py"
    truth = truth_of(nursery, program, scratch / "unused")

    ended = run_with_kills(nursery, program, scratch / "store", ["commit:1"] * 8)

    assert judge(truth, ended) == "equal", (truth, ended)


@pytest.mark.shared
@programs("equal")
def test_finished_program_rerun_three_times_writes_nothing(nursery, scratch, name):
    """Reruns of a finished program give its result again and leave every file as it was."""
    program = PROGRAMS / f"{name}.py"
    first = nursery.run(program, store=scratch)
    files = listing(scratch)

    for _ in range(3):
        again = nursery.run(program, store=scratch)

        assert (again.code, again.last_line) == (0, first.last_line), again.stderr
        assert again.report["commits"] == 0
        assert listing(scratch) == files


@pytest.mark.shared
@programs("equal-or-refused")
def test_killed_at_any_moment_the_rerun_is_equal_or_refused(nursery, scratch, name):
    """What the rules cannot make exact ends equal or with an error, never with another result."""
    expected = EXPECTED[name]

    whole, tally = kill_everywhere(nursery, PROGRAMS / f"{name}.py", scratch)

    assert not tally.third, "\n".join(tally.third)
    assert set(tally.ends) <= {"equal", "refused"}, (tally, whole.stderr)
    if expected.error:
        assert set(tally.errors) == {expected.error}, tally


@programs("refused")
def test_refused_at_once_with_the_rewrite(nursery, scratch, name):
    """A shape that no rule covers is refused at its first run; the text names the remedy."""
    expected = EXPECTED[name]

    ended = nursery.run(PROGRAMS / f"{name}.py", store=scratch)

    assert ended.raised(expected.error), ended
    for text in expected.says:
        assert text in ended.report["text"]


@programs("warned")
def test_warned_with_line_and_remedy(nursery, scratch, name):
    """What is not refused but not exact either is said, as a ResumeWarning."""
    ended = nursery.run(PROGRAMS / f"{name}.py", store=scratch)

    assert ended.code == 0, ended.stderr
    assert "ResumeWarning" in ended.stderr
    for text in EXPECTED[name].says:
        assert text in ended.stderr


def primes(count):
    found, candidate = [], 2
    while len(found) < count:
        if all(candidate % p for p in found):
            found.append(candidate)
        candidate += 1
    return found


@pytest.mark.shared
@pytest.mark.parametrize("left", range(1, 10))
def test_primes_killed_then_eleven_then_sixteen(nursery, scratch, left):
    """Killed with n=4 left, the same call ends with 11 primes; then n=5 gives 16."""
    program = PROGRAMS / "primes.py"
    killed = nursery.run(program, store=scratch, kill=f"commit:{10 - left}")

    same_call = nursery.run(program, store=scratch)
    other_call = nursery.run(program, store=scratch, arguments=["5"])
    other_again = nursery.run(program, store=scratch, arguments=["5"])

    assert killed.killed
    assert json.loads(same_call.last_line) == primes(11)
    assert json.loads(other_call.last_line) == primes(16)
    assert json.loads(other_again.last_line) == primes(16)


@pytest.mark.shared
@pytest.mark.parametrize("name", ["primes", "nested_resets", "finished_block", "module_level"])
def test_forks_and_whole_processes_agree(nursery, scratch, name):
    """A program killed in a process of its own, started from nothing, ends like a forked one."""
    program = PROGRAMS / f"{name}.py"
    truth = truth_of(nursery, program, scratch / "unused")

    for kill in ("tick:1", "commit:1", "tick:3", "commit:2", ""):
        env = environment(RESUME_DIR=str(scratch / "store"), RESUME_TEST_KILL=kill)
        runner = Path(__file__).parent / "run_program.py"
        ended = run_program([runner, program], cwd=scratch, env=env)
        assert ended.killed == bool(kill), ended.stderr
    plain = run_program([program], cwd=scratch, env=env)

    assert ended.last_line == truth
    assert plain.last_line == truth
