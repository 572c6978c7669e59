"""Children of a program with a live checkpoint: nothing hangs, and they write nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from resume.store import Store

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
    pytest.mark.timeout(90),
]

PRELUDE = """
import hashlib, os, signal, sys, time
from pathlib import Path
from resume import Checkpoint

def listing():
    "Every file of the store: name, time of its last change, content."
    files = sorted(path for path in Path("store").rglob("*") if path.is_file())
    return [(str(f), f.stat().st_mtime_ns, hashlib.sha256(f.read_bytes()).hexdigest())
            for f in files]

"""


def write(source, name="program.py"):
    Path(name).write_text(textwrap.dedent(PRELUDE) + textwrap.dedent(source))
    return name


def run(source, *args, timeout=60):
    """Run the program to its end; its exit status is 0, or the test fails with what it said."""
    done = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", write(source), *args],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done


def killed(source, *args):
    """Run the program, which kills itself. Its output goes to a file: orphans keep a pipe open."""
    with open("output", "w") as output:
        command = [sys.executable, write(source), *args]
        code = subprocess.run(command, stdout=output, stderr=output, check=False).returncode
    assert code == -signal.SIGKILL, Path("output").read_text()


def numbers():
    return [entry.number for entry in Store(Path("store"), "work").entries()][::-1]


# --- os.fork ---


@pytest.mark.parametrize(
    "end", ["os._exit(0)", "sys.exit(0)", "return seen", "raise SystemExit(0)"]
)
def test_a_forked_child_writes_nothing_however_it_ends(end):
    """Its handle is inert: sync and save are falsy, loops run on, and its end saves nothing."""
    program = """
    def work():
        with Checkpoint("work", folder="store", rate=0, background=False) as chp:
            seen = []
            for k in chp.loop(range(4)):
                seen.append(k)
                if k == 1:
                    before = listing()
                    child = os.fork()
                    if child == 0:
                        assert not chp.sync() and not chp.save(extra=1), "child saved"
                        assert "switched off" in chp.save().why
                        assert [x for x in chp.loop("abc")] == ["a", "b", "c"]
                        mark = 0
                if k >= 1 and child == 0 and k == 3:
                    chp.save()
                    END
                if k == 1 and child:
                    status = os.waitpid(child, 0)[1]
                    assert os.waitstatus_to_exitcode(status) == 0, status
                    assert before, "nothing was saved before the fork"
                    assert listing() == before
                    del before
        return seen

    def main():
        me = os.getpid()
        seen = work()
        if os.getpid() == me:
            assert seen == [0, 1, 2, 3], seen
            print("generation", listing() and "ok")
    main()
    """
    done = run(program.replace("END", end))

    assert done.stdout.endswith("ok\n")
    assert numbers() == [3, 4, 5]
    assert Store(Path("store"), "work").verify() == []


def test_a_childs_checkpoint_of_another_name_saves():
    """What the child makes for itself is its own, and the parent's goes on beside it."""
    run("""
    def work():
        chp = Checkpoint("work", folder="store", rate=0); n = 0; chp.restore()
        while n < 3:
            n += 1
            chp.sync()

    def own():
        chp = Checkpoint("own", folder="store", rate=0); n = 0; chp.restore()
        while n < 2:
            n += 1
            assert chp.sync()

    def parent():
        chp = Checkpoint("work", folder="store", rate=0); n = 0; chp.restore()
        n = 1
        assert chp.save()
        if not os.fork():
            own()
            os._exit(0)
        assert os.wait()[1] == 0
        n = 2
        assert chp.save()
    parent()
    """)

    assert [e.number for e in Store(Path("store"), "own").entries()] == [2, 1]
    assert numbers() == [1, 2]


def test_a_childs_checkpoint_of_the_same_name_is_refused():
    """The parent holds it: the child is told who does, and writes nothing."""
    done = run("""
    from resume import CheckpointBusyError

    def same():
        chp = Checkpoint("work", folder="store", rate=0); n = 0
        try:
            chp.restore()
        except CheckpointBusyError as why:
            print(str(os.getppid()) in str(why), flush=True)

    def parent():
        chp = Checkpoint("work", folder="store", rate=0); n = 0; chp.restore()
        assert chp.save()
        before = listing()
        if not os.fork():
            same()
            sys.exit(0)
        assert os.wait()[1] == 0
        assert listing() == before
        assert chp.save()
    parent()
    """)

    assert done.stdout == "True\n"


def test_forks_amid_saves_do_not_hang():
    """A thread forks again and again while the main thread saves: each child ends, all is whole."""
    done = run("""
    import threading
    import numpy as np

    def fork_for_ever(chp, codes, ended):
        while not ended.is_set():
            child = os.fork()
            if not child:
                signal.alarm(20)  # a hang ends by a signal, and shows in the status
                assert not chp.save()
                assert not chp.sync()
                Checkpoint("other", folder="store2", rate=0, clean=True)
                os._exit(0)
            codes.append(os.waitpid(child, 0)[1])

    def parent():
        chp = Checkpoint("work", folder="store", rate=0, exclude=["forker", "ended", "codes"])
        n, data, codes, ended = 0, np.zeros(300_000), [], threading.Event()
        chp.restore()
        forker = threading.Thread(target=fork_for_ever, args=(chp, codes, ended))
        forker.start()
        while n < 20 or len(codes) < 20:
            n += 1
            data[n] = n
            assert chp.save()
        ended.set()
        forker.join()
        print(len(codes) >= 20, set(codes))
    parent()
    """)

    assert done.stdout == "True {0}\n"
    assert Store(Path("store"), "work").verify() == []


# --- multiprocessing ---

POOL = """
import multiprocessing

def square(x):
    return x * x

def slow(x):
    time.sleep(60)

def work(method):
    context = multiprocessing.get_context(method)
    with Checkpoint("work", folder="store", rate=0, background=False) as chp:
        total = 0
        for k in chp.loop(range(3)):
            with context.Pool(2) as pool:       # leaving it is terminate()
                total += sum(pool.map(square, range(k + 2)))
                hanging = pool.map_async(slow, range(4))
                before = listing()
                began = time.monotonic()
                pool.terminate()
                pool.join()
                assert time.monotonic() - began < 20
                assert listing() == before
                del hanging, before, began, pool
    return total

if __name__ == "__main__":
    print(work(sys.argv[1]))
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_pools_are_terminated_beside_a_live_checkpoint(method):
    """Pool.terminate() in each item: no hang, the workers write nothing, all generations stand."""
    done = run(POOL, method)

    assert done.stdout == "20\n"
    assert numbers() == [2, 3, 4]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_killed_program_with_a_pool_goes_on(method):
    """The parent dies by SIGKILL amid an item with workers alive: the rerun has the result."""
    source = """
    import multiprocessing

    def square(x):
        return x * x

    def work(method):
        context = multiprocessing.get_context(method)
        with context.Pool(2) as pool:
            with Checkpoint("work", folder="store", rate=0, exclude=["pool", "context"]) as chp:
                total = 0
                for k in chp.loop(range(4)):
                    total += sum(pool.map(square, range(k + 2)))
                    if k == 2 and not Path("died").exists():
                        Path("died").touch()
                        os.kill(os.getpid(), signal.SIGKILL)
        return total

    if __name__ == "__main__":
        print(work(sys.argv[1]))
    """
    killed(source, method)

    done = run(source, method)

    assert done.stdout == "50\n"
    assert "resuming work" in done.stderr


@pytest.mark.untraced
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_script_without_a_main_guard_around_its_checkpoint(method):
    """At module level: a spawned child runs the module again, with checkpoints off, and says so."""
    done = run(
        """
    import multiprocessing

    chp = Checkpoint("work", folder="store", rate=0)
    n = 0
    chp.restore()

    def square(x):
        assert not chp.save()
        return x * x

    if __name__ == "__main__":
        while n < 3:
            n += 1
            with multiprocessing.get_context(sys.argv[1]).Pool(1) as pool:
                before = listing()
                assert pool.map(square, [n]) == [n * n]
                assert listing() == before
            del pool, before
            assert chp.save()
    """,
        method,
    )

    said = "checkpoints of the main program are off in this multiprocessing child"
    assert done.stderr.count(said) == (3 if method == "spawn" else 0)
    assert numbers() == [1, 2, 3]


def test_an_executor_that_lives_through_the_loop():
    """A ProcessPoolExecutor is left out with its path and a remedy, and the items use it on."""
    done = run("""
    from concurrent.futures import ProcessPoolExecutor

    def square(x):
        return x * x

    def work():
        with ProcessPoolExecutor(2) as executor:
            with Checkpoint("work", folder="store", rate=0, exclude=["executor"]) as chp:
                total = 0
                for k in chp.loop(range(3)):
                    total += sum(executor.map(square, range(10)))
        return total

    if __name__ == "__main__":
        print(work())
    """)

    assert done.stdout == "855\n"
    assert numbers() == [2, 3, 4]


def test_worker_functions_with_checkpoints_of_their_own():
    """In a pool's function each task keeps a checkpoint of its own, by an argument in the name."""
    done = run("""
    import multiprocessing

    def task(fold):
        chp = Checkpoint("task-{fold}", folder="store", rate=0)
        n = 0
        chp.restore()
        while n < 2:
            n += 1
            assert chp.sync()
        return n

    if __name__ == "__main__":
        with multiprocessing.Pool(2) as pool:
            print(pool.map(task, range(4)))
    """)

    assert done.stdout == "[2, 2, 2, 2]\n"
    for fold in range(4):
        assert Store(Path("store"), f"task-{fold}").newest().number == 2


# --- the lock goes with the parent -------------------------------------------------------------

ORPHANS = {
    "os.fork": """
        child = os.fork()
        if not child:
            time.sleep(60)
            os._exit(0)
        tell(child)
    """,
    "multiprocessing": """
        import multiprocessing
        worker = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
        worker.start()
        tell(worker.pid)
    """,
    "subprocess": """
        import subprocess
        tell(subprocess.Popen(["sleep", "60"], close_fds=False).pid)
    """,
    "fork and exec": """
        child = os.fork()
        if not child:
            os.execvp("sleep", ["sleep", "60"])
        tell(child)
    """,
    "posix_spawn": """
        tell(os.posix_spawnp("sleep", ["sleep", "60"], os.environ))
    """,
}


@pytest.mark.parametrize("kind", ORPHANS)
def test_a_rerun_gets_the_lock_while_orphans_live_on(kind):
    """The parent is killed, its child lives: the rerun restores at once, and goes on."""
    body = textwrap.indent(textwrap.dedent(ORPHANS[kind]), " " * 16)
    source = f"""
    def tell(pid):
        Path("orphan").write_text(str(pid))

    def work():
        chp = Checkpoint("work", folder="store", rate=0, background=False); n = 0; chp.restore()
        while n < 5:
            n += 1
            chp.sync()
            if n == 3 and not Path("orphan").exists():
{body}
                os.kill(os.getpid(), signal.SIGKILL)
        return n

    print(work())
    """
    killed(source)
    orphan = int(Path("orphan").read_text())
    try:
        until = time.monotonic() + 10  # a forked child may not have run its first line yet
        while holds_lock(orphan) and time.monotonic() < until:
            time.sleep(0.01)
        assert not holds_lock(orphan)

        began = time.monotonic()
        done = run(source)

        assert done.stdout == "5\n"
        assert "resuming work: n=3" in done.stderr
        assert time.monotonic() - began < 30
        os.kill(orphan, 0)  # it still lives
    finally:
        os.kill(orphan, signal.SIGKILL)
        reap(orphan)


def holds_lock(pid):
    """Whether the process has a lock file open, as far as the system tells."""
    folder = Path(f"/proc/{pid}/fd")
    names = list(folder.iterdir()) if folder.exists() else []
    return any(name.is_symlink() and os.readlink(name).endswith("/lock") for name in names)


def reap(pid):
    """An orphan is somebody else's to wait for; where it fell to us, do so."""
    try:
        os.waitpid(pid, 0)
    except ChildProcessError:
        return


def test_an_orphans_handle_stays_inert_after_the_parents_death():
    """The child of a killed parent saves nothing, though nobody holds the lock any more."""
    source = """
    def work():
        chp = Checkpoint("work", folder="store", rate=0); n = 0; chp.restore()
        n = 1
        chp.save()
        parent = os.getpid()
        if not os.fork():
            while os.getppid() == parent:
                time.sleep(0.01)
            before = listing()
            answers = [chp.save(), chp.sync(), chp.restore()]
            Path("told").write_text(repr([any(answers), listing() == before]))
            os._exit(0)
        os.kill(os.getpid(), signal.SIGKILL)
    work()
    """
    killed(source)

    for _ in range(500):
        if Path("told").exists() and Path("told").read_text().endswith("]"):
            break
        time.sleep(0.02)

    assert Path("told").read_text() == "[False, True]"


# --- torch ---


@pytest.mark.timeout(180)
def test_dataloader_workers_shut_down_beside_a_live_checkpoint():
    """Workers come and go in each epoch: no hang, and they write nothing."""
    pytest.importorskip("torch")
    done = run(
        """
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    def work():
        torch.set_num_threads(1)
        data = TensorDataset(torch.arange(12.0))
        exclude = ["data", "loader", "exclude"]
        with Checkpoint(
            "work", folder="store", rate=0, background=False, exclude=exclude
        ) as chp:
            torch.manual_seed(0)
            total = 0.0
            for epoch in chp.loop(range(3)):
                before = listing()
                loader = DataLoader(data, batch_size=4, shuffle=True, num_workers=2)
                for (batch,) in loader:
                    total += float((batch * torch.rand(len(batch))).sum())
                began = time.monotonic()
                del loader
                assert time.monotonic() - began < 5
                assert listing() == before
                del before, began
        return total

    if __name__ == "__main__":
        print(work())
    """,
        timeout=150,
    )

    assert float(done.stdout) > 0
    assert numbers() == [2, 3, 4]
