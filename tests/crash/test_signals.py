"""Signals to real processes, at any moment: what is saved is of the moment, and nothing is lost."""

from __future__ import annotations

import json
import os
import random
import signal
import time

import pytest
from crash.signalled import PLAIN, RESUMABLE, SCRIPT, Program

ITEMS = 500
WAYS = {
    "checkpoint": (PLAIN, ("program.py", str(ITEMS))),
    "resumable": (RESUMABLE, ("program.py", str(ITEMS))),
    "run": (SCRIPT, ("-m", "resume", "run", "program.py", str(ITEMS))),
}
STATUS = {signal.SIGINT: -signal.SIGINT, signal.SIGTERM: 143}


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """What each of them prints that nobody disturbs."""
    program = Program(tmp_path_factory.mktemp("undisturbed"), SCRIPT, "program.py", str(ITEMS))
    ended = program.ended()
    assert ended.code == 0, ended
    return ended.out


def saved_item(folder):
    """Items done in the newest generation."""
    newest = max((folder / ".checkpoints").glob("*/*.manifest.json"))
    manifest = json.loads(newest.read_text())
    assert manifest["trigger"] == "signal"
    loops = manifest["position"].get("loops")
    if loops:
        return loops[0]["done"]
    (k,) = [row["preview"] for row in manifest["variables"] if row["name"].split(".")[-1] == "k"]
    return int(k)


def is_signalled_and_goes_on(tmp_path, way, number, delay_s, result):
    """One signal at a random moment; the rerun prints what an undisturbed run prints."""
    source, words = WAYS[way]
    program = Program(tmp_path, source, *words)
    running = program.start()
    running.wait_for(lambda: len(program.log()) > 2)
    time.sleep(delay_s)
    running.send(number)
    ended = running.ended()
    if ended.code == 0:  # it was too fast
        assert ended.out == result
        return False

    assert ended.code == STATUS[number], ended
    assert "run the program again to go on from there" in ended.err
    assert not ended.out
    done = len(program.log())
    if way == "checkpoint":
        assert saved_item(tmp_path) == done
    again = program.ended()
    assert (again.code, again.out) == (0, result), again
    assert sorted(set(program.log())) == [*range(ITEMS)]
    if way == "checkpoint":
        assert len(program.log()) == ITEMS  # no item was done twice
    assert len(program.log()) <= ITEMS + 1
    return True


@pytest.mark.parametrize("number", STATUS, ids=lambda number: number.name)
@pytest.mark.parametrize("way", WAYS)
def test_a_signal_at_a_random_moment(tmp_path, way, number, result):
    assert is_signalled_and_goes_on(tmp_path, way, number, random.uniform(0, 0.1), result)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("way", WAYS)
def test_200_signals_at_random_moments(tmp_path, way, result):
    """Each one counts: 200 of 200."""
    count = 0
    while count < 200:
        number = random.choice([*STATUS])
        folder = tmp_path / str(count)
        delay_s = random.uniform(0, 0.4)
        count += is_signalled_and_goes_on(folder, way, number, delay_s, result)


def test_the_program_may_be_stopped_again_and_again(tmp_path, result):
    program = Program(tmp_path, PLAIN, "program.py", str(ITEMS))
    for stop in range(1, 4):
        running = program.start()
        running.wait_for(lambda stop=stop: len(program.log()) > 100 * stop)
        running.send(signal.SIGTERM)
        assert running.ended().code == 143

    assert program.ended().out == result
    assert program.log() == [*range(ITEMS)]


# -- among others

IN_PYTEST = (
    PLAIN
    + """
def test_work():
    print(work(300))
"""
)


def test_under_pytest(tmp_path):
    """It is interrupted as by any Ctrl-C, and the next run of the test goes on."""
    words = ("-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", "-c", "/dev/null", "program.py")
    program = Program(tmp_path, IN_PYTEST, *words)
    running = program.start()
    running.wait_for(lambda: len(program.log()) > 2)
    running.send(signal.SIGINT)
    ended = running.ended()

    assert ended.code == 2, ended
    assert "KeyboardInterrupt" in ended.out
    assert program.ended().code == 0
    assert program.log() == [*range(300)]


IN_ASYNCIO = """
import asyncio, random, signal, sys
from program_log import note
from resume import Checkpoint

async def work(n):
    chp = Checkpoint("work", rate="1h")
    total = 0
    chp.restore()
    for k in chp.loop(range(n)):
        await asyncio.sleep(0.001)
        total += k
        note(k)
    return total

async def main():
    loop = asyncio.get_running_loop()
    if "own" in sys.argv:
        loop.add_signal_handler(signal.SIGTERM, lambda: print("heard", flush=True))
    return await work(200)

print(asyncio.run(main()))
"""
LOG = """
def note(k):
    with open("log", "a") as log:
        log.write(f"{k}\\n")
"""


@pytest.mark.parametrize(
    ("number", "words"),
    [(signal.SIGINT, ()), (signal.SIGTERM, ("own",))],
)
def test_in_asyncio(tmp_path, number, words):
    (tmp_path / "program_log.py").write_text(LOG)
    program = Program(tmp_path, IN_ASYNCIO, "program.py", *words)
    running = program.start()
    running.wait_for(lambda: len(program.log()) > 2)
    running.send(number)
    ended = running.ended()

    assert ended.code == STATUS[number], ended
    assert ended.out == ("heard\n" if words else "")
    assert "saved as generation 1" in ended.err
    assert program.ended().out == f"{sum(range(200))}\n"
    assert program.log() == [*range(200)]


IN_A_POOL = """
import sys, time
from concurrent.futures import ThreadPoolExecutor
from program_log import note
from resume import Checkpoint

def square(k):
    time.sleep(0.001)
    return k * k

def work(n):
    chp = Checkpoint("work", rate="1h")
    total = 0
    chp.restore()
    for k in chp.loop(range(n)):
        with ThreadPoolExecutor(4) as pool:
            total += sum(pool.map(square, range(k, k + 4)))
        note(k)
    return total

print(work(150))
"""


def test_with_a_thread_pool(tmp_path):
    (tmp_path / "program_log.py").write_text(LOG)
    program = Program(tmp_path, IN_A_POOL, "program.py")
    running = program.start()
    running.wait_for(lambda: len(program.log()) > 2)
    running.send(signal.SIGTERM)
    ended = running.ended()

    assert ended.code == 143, ended
    assert program.ended().out == f"{sum(k * k for n in range(150) for k in range(n, n + 4))}\n"
    assert program.log() == [*range(150)]


IN_A_CHILD = PLAIN.replace(
    "    print(work(int(sys.argv[1])))\n",
    """    import multiprocessing
    context = multiprocessing.get_context(sys.argv[1])
    child = context.Process(target=work, args=(300,))
    child.start()
    print(child.pid, flush=True)
    child.join(100)
    print(child.exitcode, flush=True)
""",
)


@pytest.mark.parametrize("how", ["fork", "spawn"])
def test_in_a_child_of_multiprocessing(tmp_path, how):

    program = Program(tmp_path, IN_A_CHILD, "program.py", how)
    running = program.start()
    running.wait_for(lambda: len(program.log()) > 2)
    os.kill(int(running.lines[0]), signal.SIGTERM)
    ended = running.ended()

    assert ended.out.split()[1:] == ["143"], ended
    assert saved_item(tmp_path) == len(program.log())
    again = program.ended()
    assert again.out.split()[1:] == ["0"], again
    assert program.log() == [*range(300)]


WITH_A_HOST = """
import signal
def host(number, frame):
    print("host", flush=True)
    if "own" in sys.argv:
        raise SystemExit(5)
signal.signal(signal.SIGTERM, host)
"""


@pytest.mark.parametrize(("words", "code"), [((), 143), (("own",), 5)])
def test_a_host_with_a_handler_of_its_own(tmp_path, words, code):
    """It still runs, behind the save, and may leave in its own way."""
    program = Program(tmp_path, WITH_A_HOST + PLAIN, "program.py", str(ITEMS), *words)
    running = program.start()
    running.wait_for(lambda: len(program.log()) > 2)
    running.send(signal.SIGTERM)
    ended = running.ended()

    assert (ended.code, ended.out) == (code, "host\n"), ended
    assert saved_item(tmp_path) == len(program.log())
    assert program.ended().code == 0
    assert program.log() == [*range(ITEMS)]


# -- the second one

SLOW = """
import hashlib, signal, sys, time
from resume import Checkpoint
from resume.triggers import interruption

interruption._CLEANUP_S = 0.5

def work(how):
    chp = Checkpoint("work", rate="1h")
    chp.restore()
    for k in chp.loop(range(3)):
        if k == 2:
            print("ready", flush=True)
            while not chp._run.asking.is_asked:
                time.sleep(0.001)
            print("asked", flush=True)
            if how == "in C":
                hashlib.pbkdf2_hmac("sha512", b"", b"", 1 << 30)
            elif how == "cleaning up":
                try:
                    time.sleep(1000)
                finally:
                    time.sleep(1000)
            else:
                time.sleep(1000)

try:
    work(sys.argv[1])
except KeyboardInterrupt:
    if sys.argv[1] != "going on":
        raise
    time.sleep(2)
    print("went on", flush=True)
"""


def stopped_twice(tmp_path, how, number=signal.SIGINT):
    program = Program(tmp_path, SLOW, "program.py", how)
    running = program.start()
    running.wait_for_line("ready")
    running.send(number)
    running.wait_for_line("asked")
    running.send(number)
    ended = running.ended()
    assert not list((tmp_path / ".checkpoints").glob("*/*.manifest.json"))
    return ended


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_one_leaves_without_a_save(tmp_path, number):
    ended = stopped_twice(tmp_path, "asleep", number)

    assert ended.code == -number
    assert ("KeyboardInterrupt" in ended.err) == (number == signal.SIGINT)


def test_a_second_one_in_a_call_that_lets_no_signal_in(tmp_path):
    """The call takes many minutes; no handler of Python runs meanwhile."""
    ended = stopped_twice(tmp_path, "in C")

    assert ended.code == 130, ended
    assert "in a call that lets no signal in" in ended.err


def test_a_second_one_ends_a_cleaning_up_that_hangs(tmp_path):
    ended = stopped_twice(tmp_path, "cleaning up")

    assert ended.code == 130, ended
    assert "has not come to its end since" in ended.err


def test_a_program_that_goes_on_elsewhere_is_left_alone(tmp_path):
    ended = stopped_twice(tmp_path, "going on")

    assert (ended.code, ended.out.split("\n")[-2]) == (0, "went on"), ended
