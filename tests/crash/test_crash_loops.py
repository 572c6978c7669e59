"""Programs that die right behind a restore, again and again: the run after the third steps back."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from crash.disk import in_child
from reruns import resumed

from resume import Checkpoint
from resume.store import Store, restores

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
    pytest.mark.timeout(120),
    pytest.mark.untraced,  # a tracer holds off saves on 3.11
]
FORKS = Path(__file__).resolve().parents[1] / "corpus" / "resumable_forks.py"


@pytest.fixture
def said():
    """What is told in this process, and in its forks."""
    telling = logging.FileHandler("said", encoding="utf-8")
    logger = logging.getLogger("resume")
    level = logger.level
    logger.addHandler(telling)
    logger.setLevel(logging.INFO)
    yield lambda: Path("said").read_text(encoding="utf-8")
    logger.setLevel(level)
    logger.removeHandler(telling)
    telling.close()


# -- a Checkpoint


def work(diary, dies, *, n=6, **options):
    """Count to *n*, saving each time; *dies* is called where 4 is restored."""
    chp = Checkpoint("work", folder="store", rate=0, background=False, args="caller", **options)
    i = 0
    restored = chp.restore()
    _note(diary, f"{restored.generation if restored else 0}:{i}")
    if i == 4:
        dies(chp)
    while i < n:
        i += 1
        chp.sync()
    return i


def _note(diary, text):
    with open(diary, "a", encoding="utf-8") as out:
        out.write(text + "\n")


def first_save(n=4):
    """Leave four generations, as of a program that was killed."""

    def run():
        work("diary", lambda _: None, n=n)
        os._exit(0)

    assert in_child(run) == 0


def kill(_):
    os.kill(os.getpid(), 9)


def leave(_):
    os._exit(1)


def run_dying(dies):
    return in_child(lambda: work("diary", dies))


def diary():
    return Path("diary").read_text(encoding="utf-8").split()


@pytest.mark.parametrize(("dies", "code"), [(kill, -9), (leave, 1)])
def test_the_run_after_the_third_death_steps_back(dies, code, said):
    """It goes on as a child of the generation before; what kills stays whole, and set aside."""
    first_save()
    assert [code] * 3 == [run_dying(dies) for _ in range(3)]
    assert "stepping back" not in said()

    assert run_dying(dies) == 0

    assert diary()[1:] == ["4:4"] * 3 + ["3:3"]
    assert "3 runs died within a minute of restoring generation 4: stepping back to gen" in said()
    assert "generation 3. Generation 4 stays on the disk" in said()
    store = Store(Path("store"), "work")
    newest, *_ = store.chain()
    assert 4 not in newest.ancestors
    assert [(one.number, one.problem) for one in store.entries() if not one.live] == [(4, None)]
    assert store.read(store.manifest(4))
    assert not store.restores.path.exists()


def test_two_deaths_are_not_enough():
    first_save()
    run_dying(kill)
    run_dying(kill)

    assert in_child(lambda: work("diary", lambda _: None)) == 0

    assert diary()[-1] == "4:4"


def test_the_file_is_the_way_to_try_it_again():
    """As the line says."""
    first_save()
    for _ in range(3):
        run_dying(kill)
    Store(Path("store"), "work").restores.path.unlink()

    run_dying(kill)

    assert diary()[-1] == "4:4"


def test_with_no_generation_before_the_same_is_restored_again(said):
    """And it is said: work is never lost for this."""
    first_save()
    for number in (1, 2, 3):
        Path("store/work", f"0000000{number}.ckpt.manifest.json").unlink(missing_ok=True)
    for _ in range(3):
        run_dying(kill)
    assert "step back" not in said()

    assert run_dying(kill) == -9

    assert diary()[1:] == ["4:4"] * 4
    assert "there is none to step back to: it is restored again" in said()


def live_long(chp):
    """More than a minute, as this test counts it; then die."""
    path = Path("store", "work", restores.NAME)
    while b"survived" not in path.read_bytes():
        pass
    kill(chp)


def test_who_is_killed_later_than_that_has_not_died_of_it(monkeypatch):
    """A machine that is taken away every hour steps back never."""
    first_save()
    monkeypatch.setattr(restores, "SURVIVED_S", 0.05)

    for _ in range(4):
        assert run_dying(live_long) == -9

    assert diary()[1:] == ["4:4"] * 4


def fail(_):
    raise ArithmeticError("a bad state")


def interrupt(_):
    raise KeyboardInterrupt


def stop(_):
    sys.exit(0)


def in_block(ends):
    i = 0
    with Checkpoint("work", folder="store", rate=0, background=False, exclude="ends") as chp:
        _note("diary", str(i))
        while i < 4:
            i += 1
            chp.sync()
        ends(chp)


@pytest.mark.parametrize(
    ("ends", "dies"), [(fail, True), (interrupt, False), (stop, False), (leave, True)]
)
def test_a_block_tells_how_it_ended(ends, dies):
    """An error is a death; a Ctrl-C, and an exit with a good status, are not."""

    def run(end):
        try:
            in_block(end)
        except BaseException:
            os._exit(3)

    in_child(lambda: run(leave))
    for _ in range(3):
        in_child(lambda: run(ends))
    in_child(lambda: run(ends))

    assert diary() == ["0", "4", "4", "4", "3" if dies else "4"]


FUNCTION = """
    import sys
    from resume import Checkpoint

    def work(n):
        chp = Checkpoint("work", rate=0, background=False, args="caller")
        i = 0
        chp.restore()
        print(i, flush=True)
        while i < n:
            i += 1
            chp.sync()
        if n == 4:
            END
        return i

    work(int(sys.argv[1]))
"""


@pytest.mark.shared
@pytest.mark.parametrize(
    ("end", "dies"),
    [("raise ValueError", True), ("raise KeyboardInterrupt", False), ("sys.exit(0)", False)],
)
def test_a_function_that_ends_the_program_tells_how(run_program, end, dies):
    """Where no block tells: by the error that nobody caught."""
    source = FUNCTION.replace("END", end)

    told = [run_program(source, "4") for _ in range(4)]
    last = run_program(source, "5")

    assert ["0\n", "4\n", "4\n", "4\n"] == [one.stdout for one in told]
    assert last.stdout == ("3\n" if dies else "4\n")
    assert ("stepping back" in last.stderr) == dies


def test_what_we_refuse_is_no_death(said):
    """The newest generation stays the one to be restored until somebody has decided."""
    first_save()

    for _ in range(4):
        assert in_child(lambda: work("diary", lambda _: None, config="other")) == 99

    assert "stepping back" not in said()
    assert run_dying(kill) == -9
    assert diary()[-1] == "4:4"


# -- @resumable


def forked(script: str, lives: int) -> list[dict[str, str]]:
    path = Path("program.py").resolve()
    path.write_text(textwrap.dedent(script), encoding="utf-8")
    wanted = json.dumps({"script": str(path), "argv": [], "lives": [0] * lives})
    done = subprocess.run(
        [sys.executable, str(FORKS), wanted],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: list[dict[str, str]] = json.loads(done.stdout)
    return found


CALL = """
    import os
    import resume

    def end():
        END

    @resume.resumable
    def work(n):
        for i in range(n):
            resume.save()
            print(i, end=" ", flush=True)
            if i == 3 and not os.path.exists("healed"):
                open("healed", "w") if os.path.exists("store/before") else None
                end()
        return n

    print(work(5))
"""


@pytest.mark.shared
@pytest.mark.parametrize(
    ("end", "dies"),
    [("os._exit(1)", True), ("raise ValueError", True), ("raise KeyboardInterrupt", False)],
)
def test_a_resumable_call_steps_back(end, dies):
    """Its first run and three more die at `i == 3`; the next goes on before that save."""
    first, *more = forked(CALL.replace("END", end), 5)

    assert first["out"] == "0 1 2 3 "
    assert [one["out"] for one in more[:3]] == ["3 "] * 3
    assert more[3]["out"] == ("2 3 " if dies else "3 ")
    assert ("stepping back to generation 3" in more[3]["told"]) == dies


# -- resume run

SCRIPT = """
import os, sys
import resume
for i in range(5):
    resume.save()
    print(i, flush=True)
    if i == 3 and sys.stdin.read():
        END
print("done")
"""


@pytest.mark.parametrize(
    ("end", "dies"),
    [
        ("os._exit(1)", True),
        pytest.param("raise ValueError", True, marks=pytest.mark.slow),
        pytest.param("sys.exit(2)", True, marks=pytest.mark.slow),
        pytest.param("raise KeyboardInterrupt", False, marks=pytest.mark.slow),
    ],
)
def test_a_script_steps_back(tmp_path, end, dies):
    (tmp_path / "script.py").write_text(SCRIPT.replace("END", end), encoding="utf-8")

    for _ in range(4):
        resumed(tmp_path, "script.py", stdin="die")
    last = resumed(tmp_path, "script.py", log="last")

    assert ("stepping back to generation 3" in last.stderr) == dies, last.stderr
    assert (tmp_path / "last").read_text() == ("2\n3\n4\ndone\n" if dies else "3\n4\ndone\n")
    assert not list((tmp_path / ".checkpoints").glob("*/*"))
