"""`@resumable`, in processes that are killed by SIGKILL and run again: the result of one run."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

CORPUS = Path(__file__).resolve().parents[1] / "corpus"
PROGRAM = CORPUS / "resumable_cases.py"
CASES = re.findall(r'^    "([\w ]+)": ', PROGRAM.read_text(encoding="utf-8"), re.MULTILINE)
pytestmark = [pytest.mark.timeout(120), pytest.mark.untraced]  # a tracer holds off saves on 3.11


def runs(script: Path | str, *argv: str, lives: tuple[int, ...] = (0,)) -> list[dict[str, Any]]:
    """Run a script once for each of *lives*, one after the other: see `resumable_forks.py`."""
    if isinstance(script, str):
        path = Path("program.py").resolve()
        path.write_text(textwrap.dedent(script), encoding="utf-8")
        script = path
    wanted = json.dumps({"script": str(script), "argv": argv, "lives": lives})
    done = subprocess.run(
        [sys.executable, str(CORPUS / "resumable_forks.py"), wanted],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def kept() -> list[str]:
    """Names of the checkpoints that are there."""
    return sorted(path.parent.name for path in Path(".checkpoints").glob("*/*.manifest.json"))


@pytest.mark.shared
@pytest.mark.parametrize("case", CASES)
def test_a_killed_function_ends_as_an_undisturbed_one(case):
    """Killed behind a first save, and behind later ones of runs that went on."""
    plain, *killed, last = runs(PROGRAM, case, lives=(0, 1, 2, 0))

    assert killed[0]["code"] == -9, killed[0]
    # on a busy machine the first save may be in the second call, and the first one begins anew
    told = killed[1]["told"] + (last["told"] if case == "two calls" else "")
    assert "↻ resuming" in told
    ended = [run for run in (*killed, last) if run["code"] == 0]
    assert plain["out"]
    assert {plain["out"]} == {run["out"] for run in ended}
    assert [] == kept()


# -- one behaviour each; the program saves and dies where it says

DIES_ONCE = """
    import os, signal, sys, time
    import resume
    from resume import resumable

    def die(once="died"):
        resume.save()
        if not os.path.exists(once):
            open(once, "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
"""


def program(text: str) -> str:
    """*text* behind the imports, and a function that lets a program die at a save of its own."""
    return textwrap.dedent(DIES_ONCE).replace("    resume.save()\n", "") + textwrap.dedent(text)


def test_another_call_has_a_checkpoint_of_its_own():
    """Equal arguments, simple or not, go on; others begin at their beginning."""
    died, other, same = runs(
        program(
            """
            @resumable
            def work(n, data):
                print("begins", n, data, flush=True)
                for i in range(n):
                    if i == 3:
                        resume.save()
                        die()
                    data.append(i)
                return data

            second = os.path.exists("died") and not os.path.exists("second")
            if second:
                open("second", "w").close()
            print(work(5, [2] if second else [1]))
            """
        ),
        lives=(0, 0, 0),
    )

    assert (died["code"], died["out"]) == (-9, "begins 5 [1]\n")
    assert other["out"] == "begins 5 [2]\n[2, 0, 1, 2, 3, 4]\n"
    assert same["out"] == "[1, 0, 1, 2, 3, 4]\n"
    assert [] == kept()


def test_a_result_is_kept_and_given_back_at_once():
    """With all that the call did to its arguments and to the random generators."""
    first, second = runs(
        """
        import random
        from resume import resumable

        @resumable(cache=True)
        def work(n, out):
            print("computes")
            out.append(random.random())
            return [out, n]

        random.seed(1)
        mine = []
        told = work(3, mine)
        print(told, told[0] is mine, random.random())
        """,
        lives=(0, 0),
    )

    assert first["out"] == "computes\n" + second["out"]
    assert "kept from an earlier call" in second["told"]
    assert len(kept()) == 1


def test_what_is_kept_of_another_source_is_computed_again():
    """A result belongs to the source that made it."""
    script = """
        from resume import resumable

        @resumable(cache=True)
        def work(n):
            return n + 1

        print(work(3))
    """
    runs(script)

    changed = runs(script.replace("n + 1", "n + 2"))[0]

    assert changed["out"] == "5\n"
    assert "work has changed" in changed["told"]


def test_an_exception_leaves_the_state_for_the_rerun():
    """The bug in a function that is called may be mended meanwhile."""
    script = program(
        """
        def helps(i):
            return 1 / (i - 7)

        @resumable
        def work(n):
            total = 0
            for i in range(n):
                if i == 5:
                    resume.save()
                total += helps(i) if i != 5 else 0
            return round(total, 3)

        print(work(10))
        """
    )
    failed = runs(script)[0]
    left = kept()

    mended = runs(script.replace("i - 7", "i - 7.5"))[0]

    assert "ZeroDivisionError" in failed["told"]
    assert "in helps" in failed["told"]
    assert "/resume/" not in failed["told"]  # no frame of ours is in the traceback
    assert len(left) == 1
    assert "↻ resuming" in mended["told"]
    assert mended["code"] == 0
    assert [] == kept()


CHANGING = program(
    """
    other = 1

    @resumable(on_change="refuse")
    def work(n):
        "Sum."
        total = 0
        for i in range(n):
            if i == 5:
                resume.save()
                die()
            total += i
        return total

    print(work(10))
    """
)


@pytest.mark.parametrize(
    "edit",
    [("other = 1", "other = 2\n\n\n"), ('"Sum."', '"Sums up."  # well'), ("refuse", "restart")],
    ids=["elsewhere", "docstring", "option"],
)
def test_what_is_no_change_of_the_function_goes_on(edit):
    """Edits around it, of comments, docstrings and options."""
    runs(CHANGING)

    again = runs(CHANGING.replace(*edit))[0]

    assert "↻ resuming" in again["told"]
    assert again["out"] == "45\n"


def test_a_changed_function_is_refused_with_the_difference():
    """And nothing is touched; what the user says starts it anew."""
    runs(CHANGING)
    before = kept()

    refused = runs(CHANGING.replace("total += i", "total += 2 * i"))[0]
    still = kept()
    anew = runs(CHANGING.replace("total += i", "total += 2 * i").replace("refuse", "restart"))[0]

    assert refused["code"] == 1
    assert "CodeChangedError" in refused["told"]
    assert re.search(r"-\s+total \+= i\n\s+\+\s+total \+= 2 \* i", refused["told"])
    assert 'on_change="restart"' in refused["told"]
    assert before == still
    assert anew["out"] == "90\n"
    assert "starting anew" in anew["told"]


def test_a_call_below_another_one_has_no_checkpoint_of_its_own():
    """What was there of its own is not looked at."""
    died, last = runs(
        program(
            """
            @resumable
            def inner(n):
                for i in range(n):
                    if i == 2:
                        resume.save()
                        print(sorted(os.listdir(".checkpoints")), flush=True)
                        die()
                return n

            @resumable
            def outer(n):
                return inner(n) + inner(n)

            print(outer(4))
            """
        ),
        lives=(0, 0),
    )

    assert len(re.findall("outer", died["out"])) == 1
    assert "inner" not in died["out"] + last["out"]
    assert last["out"].endswith("\n8\n")


def test_what_cannot_be_saved_is_said_and_the_program_goes_on():
    """One line for a variable that is read again, however often it was tried."""
    ended = runs(
        program(
            """
            import threading

            @resumable
            def work(n):
                mine = [threading.Thread()]
                for i in range(n):
                    resume.save()
                return type(mine[0]).__name__

            print(work(3))
            """
        )
    )[0]

    assert ended["out"] == "Thread\n"
    assert ended["told"].count("cannot save mine of work") == 1
    assert "Nothing was written, and the program runs on" in ended["told"]


def test_other_threads_run_it_as_it_is():
    """No save, one line, the same result."""
    ended = runs(
        """
        import threading
        from resume import resumable

        @resumable(rate=0)
        def work(n):
            return sum([i for i in range(n)])

        threads = [threading.Thread(target=lambda: print(work(5))) for _ in range(2)]
        for each in threads:
            each.start()
            each.join()
        """
    )[0]

    assert ended["out"] == "10\n10\n"
    assert ended["told"].count("work is not saved: it was called in another thread") == 1
    assert [] == kept()


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_children_have_checkpoints_of_their_own(method):
    """Called in a pool; and a fork amid a call leaves the state to the parent."""
    ended = runs(
        program(
            f"""
            import multiprocessing

            @resumable
            def work(n):
                for i in range(n):
                    resume.save()
                print(sorted(os.listdir(".checkpoints"))[-1], flush=True)
                return n

            @resumable
            def forks(n):
                resume.save()
                child = os.fork()
                if child:
                    os.waitpid(child, 0)
                    return len(list(os.scandir(".checkpoints")))
                return -1

            if __name__ == "__main__":
                with multiprocessing.get_context("{method}").Pool(1) as pool:
                    print(pool.map(work, [2, 3]))
                print(forks(1), flush=True)
            """
        )
    )[0]

    assert ended["code"] == 0, ended["told"]
    assert len(set(re.findall(r"work@\w+", ended["out"]))) == 2
    assert "[2, 3]\n-1\n1\n" in ended["out"].replace("2\n", "1\n")
    assert [] == kept()


def test_under_resume_run_it_does_no_harm():
    """The whole program is saved: the decorator returns the function as it is."""
    Path("script.py").write_text(
        program(
            """
            @resumable
            def work(n):
                total = 0
                for i in range(n):
                    if i == 5:
                        resume.save()
                        die()
                    total += i
                return total

            print(work(10), hasattr(work, "__wrapped__"))
            """
        )
    )
    ended = [
        subprocess.run(
            [sys.executable, "-m", "resume", "run", "script.py"],
            capture_output=True,
            text=True,
            check=False,
        )
        for _ in range(2)
    ]

    assert [each.returncode for each in ended] == [-9, 0], ended
    assert ended[1].stdout == "45 False\n"
    assert "resuming script" in ended[1].stderr


def test_functions_that_look_alike_are_refused():
    """Without columns in the code, nobody could tell which of two lambdas of a line it is."""
    Path("program.py").write_text(
        "import resume\nfine = resume.resumable(\n    lambda n: n + 1\n)\n"
        "print(fine(1), flush=True)\nboth = [lambda: 1, lambda: 1]\nresume.resumable(both[0])\n"
    )

    ended = subprocess.run(
        [sys.executable, "-X", "no_debug_ranges", "program.py"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.stdout == "2\n"
    assert "line 6 of" in ended.stderr
    assert "holds several functions that look alike" in ended.stderr
