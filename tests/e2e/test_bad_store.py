"""Bad input from outside: disks, users, clocks and other processes, real ones where they matter."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from processes import environment

from resume import (
    Checkpoint,
    NullCheckpoint,
    SchemaVersionError,
    StoreError,
    TrustError,
)
from resume.store import Store

COUNT = """
    import os, sys
    from resume import Checkpoint

    def count(stop, **options):
        i = 0
        options = {"rate": 0, "background": False, **options}
        chp = Checkpoint("count", args="saved", exclude=["stop", "options"], **options)
        record = chp.restore()
        print("restored", record.generation)
        while i < 5:
            i += 1
            if i == stop:
                os._exit(9)
            chp.sync()
        return i

    if __name__ == "__main__":
        print("result", count(int(sys.argv[1]) if len(sys.argv) > 1 else None))
"""


def whole(folder: Path, name: str = "count") -> list[int]:
    """The generations of a checkpoint, newest first; fails where one of them is not whole."""
    store = Store(folder, name)
    assert store.verify() == []
    return [entry.number for entry in store.entries()]


def counted(stop=None, **options):
    """In this process: five safe points, from wherever the state is."""
    i = 0
    chp = Checkpoint(
        "count", rate=0, background=False, args="saved", exclude=["stop", "options"], **options
    )
    chp.restore()
    while i < 5:
        i += 1
        if i == stop:
            raise InterruptedError
        chp.sync()
    return i


def interrupt(stop, **options):
    """As `counted`, ended before *stop* by an exception that nobody holds on to."""
    try:
        counted(stop, **options)
    except InterruptedError:
        return
    raise AssertionError("not interrupted")


# --- the disk ----------------------------------------------------------------------------------


def test_a_file_where_the_folder_should_be(tmp_path, caplog):
    """The program's work goes on; on_save_error="raise" is for those who want the error."""
    (tmp_path / ".checkpoints").write_text("mine")

    with pytest.raises(StoreError, match=r"cannot .*\.checkpoints"):
        counted(folder=tmp_path / ".checkpoints", on_save_error="raise")

    assert (tmp_path / ".checkpoints").read_text() == "mine"


@pytest.fixture
def small_disk(tmp_path):
    """A file system of half a megabyte, mounted for the test."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a file system")
    place = tmp_path / "small"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(place)],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        pytest.skip("mount is not allowed here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def grow(folder, **options):
    i = 0
    noise = b""
    chp = Checkpoint("grow", rate=0, folder=folder, compress="none", **options)
    chp.restore()
    while i < 5:
        i += 1
        noise = os.urandom(i * 50_000)
        chp.sync()
    return i


def test_a_full_disk(small_disk, caplog):
    """A line says what is missing; the program goes on, and its last good state stays whole."""
    assert grow(small_disk) == 5

    lines = [line for line in caplog.messages if "could not save" in line]
    assert lines
    assert "no space left on device" in lines[0]
    assert "untouched" in lines[0]
    numbers = whole(small_disk, "grow")
    assert numbers
    assert not [name for name in os.listdir(small_disk / "grow") if name.endswith(".tmp")]
    with pytest.raises(StoreError, match="no space left"):
        grow(small_disk, on_save_error="raise", clean=True)


def test_a_read_only_disk(small_disk):
    """Refused at the restore, before any work is done in vain; the saved state is as it was."""
    interrupt(3, folder=small_disk)
    before = whole(small_disk)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)

    with pytest.raises(StoreError) as caught:
        counted(folder=small_disk)

    text = str(caught.value)
    assert "'count'" in text
    assert "read-only file system" in text
    assert "previous generation is untouched" in text
    assert "folder= or RESUME_DIR" in text
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    assert whole(small_disk) == before
    assert counted(folder=small_disk) == 5


@pytest.mark.untraced
def test_a_limit_on_file_sizes(run_program, tmp_path):
    """Any refusal of the disk is one line, not a traceback, and the program ends well."""
    done = run_program("""
        import os, resource, signal
        from resume import Checkpoint

        def grow():
            i = 0
            noise = b""
            chp = Checkpoint(rate=0, compress="none")
            chp.restore()
            while i < 3:
                i += 1
                noise = os.urandom(i * 30_000)
                chp.sync()
            return i

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
        print(grow())
    """)

    assert done.returncode == 0
    assert done.stdout == "3\n"
    assert "could not save" in done.stderr
    assert "file too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert whole(tmp_path / ".checkpoints", "grow") == [1]


# --- other processes ---------------------------------------------------------------------------


def test_another_process_holds_the_checkpoint(run_program, tmp_path):
    """The error names host, process and since when, and nothing is read or written."""
    (tmp_path / "hold.py").write_text(
        textwrap.dedent(COUNT).partition("if __name__")[0]
        + textwrap.dedent("""
            def hold():
                chp = Checkpoint("count")
                chp.restore()
                chp.save()
                print("held", flush=True)
                input()
            hold()
        """)
    )
    holder = subprocess.Popen(
        [sys.executable, "hold.py"],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout.readline() == "held\n"
        done = run_program(COUNT)
        holder.communicate("\n")

    assert done.returncode == 1
    last = done.stderr.strip().splitlines()
    assert any("CheckpointBusyError" in line for line in last)
    assert f"process {holder.pid} on {os.uname().nodename}, since " in done.stderr
    assert "Nothing was written" in done.stderr
    assert whole(tmp_path / ".checkpoints") == [1]


def test_a_killed_process_holds_nothing(run_program, tmp_path):
    """The lock goes with its holder: a rerun of a killed program waits for nobody."""
    assert run_program(COUNT, "3").returncode == 9

    done = run_program(COUNT)

    assert done.stdout == "restored 2\nresult 5\n"


CHILD = """
    import multiprocessing, os, sys
    from resume import Checkpoint, NullCheckpoint

    {made}

    def work(k):
        chp.sync()
        return type(chp).__name__, bool(chp.save())

    if __name__ == "__main__":
        chp.save()
        with multiprocessing.get_context(sys.argv[1]).Pool(1) as pool:
            print(*pool.map(work, [1])[0])
        print(type(chp).__name__, bool(chp.save()))
"""


@pytest.mark.parametrize(("method", "kind"), [("spawn", "NullCheckpoint"), ("fork", "Checkpoint")])
def test_a_multiprocessing_child_saves_nothing(run_program, tmp_path, method, kind):
    """Not where it runs the module again, which one line says, and not where it was forked."""
    made = 'chp = Checkpoint("main")\n    if __name__ == "__main__": chp.restore()'
    done = run_program(CHILD.replace("{made}", made), method)

    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{kind} False\nCheckpoint True\n"
    off = "checkpoints of the main program are off in this multiprocessing child"
    assert done.stderr.count(off) == (method == "spawn")
    assert whole(tmp_path / ".checkpoints", "main") == [2, 1]


def test_a_function_in_a_multiprocessing_child_may_save(run_program, tmp_path):
    """A checkpoint of its own belongs to the child; the parent's is no hindrance."""
    done = run_program(
        COUNT.partition("if __name__")[0]
        + """
    if __name__ == "__main__":
        import multiprocessing
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            print(pool.map(count, [None]))
    """
    )

    assert done.stdout == "restored None\n[5]\n"
    assert whole(tmp_path / ".checkpoints")[0] == 5


def test_switched_off_by_the_environment(tmp_path, monkeypatch):
    """RESUME_DISABLE: the program runs as without a checkpoint, and no file is made."""
    monkeypatch.setenv("RESUME_DISABLE", "1")

    assert counted() == 5
    assert isinstance(Checkpoint("x"), NullCheckpoint)
    assert not (tmp_path / ".checkpoints").exists()
    monkeypatch.setenv("RESUME_DISABLE", "0")
    assert counted() == 5
    assert whole(tmp_path / ".checkpoints") == [5, 4, 3]


@pytest.mark.parametrize("variables", [{"RANK": "2"}, {"SLURM_NTASKS": "4", "SLURM_PROCID": "2"}])
def test_a_rank_above_0_has_a_checkpoint_of_its_own(tmp_path, monkeypatch, caplog, variables):
    """Where the name does not tell ranks apart, it is made to, and that is said once."""
    caplog.set_level("INFO", "resume")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    def train(name):
        chp = Checkpoint(name)
        chp.restore()
        chp.save()
        return chp.name

    assert train("x") == "x-rank2"
    assert train("x-{rank}") == "x-2"
    lines = [line for line in caplog.messages if "rank 2 saves to a checkpoint of its own" in line]
    assert len(lines) == 1


def test_rank_0_has_the_plain_name(monkeypatch):
    monkeypatch.setenv("RANK", "0")

    assert Checkpoint("x").name == "x"


# --- files of another time or another user -----------------------------------------------------


def test_a_manifest_from_the_future(tmp_path):
    """SchemaVersionError names the version and the remedies; nothing is set aside or written."""
    interrupt(3)
    place = tmp_path / ".checkpoints/count"
    newest = max(place.glob("*.manifest.json"))
    data = json.loads(newest.read_text())
    newest.write_text(json.dumps(data | {"schema_version": 99}))
    before = {path.name: path.read_bytes() for path in place.iterdir() if path.name != "lock"}

    with pytest.raises(SchemaVersionError) as caught:
        counted()

    text = str(caught.value)
    assert "format version 99" in text
    assert "Nothing was set aside" in text
    assert "clean=True" in text
    after = {path.name: path.read_bytes() for path in place.iterdir() if path.name != "lock"}
    assert after == before
    assert counted(clean=True) == 5
    assert set(before) <= set(os.listdir(place))


needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away"
)


def give_away(place: Path, uid: int = 65534) -> None:
    for path in [place, *place.rglob("*")]:
        os.chown(path, uid, uid)


@needs_root
def test_a_store_of_somebody_else(tmp_path):
    """TrustError names file and owner, and nothing of it is unpickled."""

    class Payload:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    def train(payload):
        made = payload() if payload else None
        chp = Checkpoint("t", args="caller")
        chp.restore()
        chp.save()

    train(Payload)
    give_away(tmp_path / ".checkpoints")

    with pytest.raises(TrustError) as caught:
        train(None)

    text = str(caught.value)
    assert ".ckpt" in text
    assert "belongs to" in text
    assert "65534" in text
    assert "Nothing of it was unpickled" in text
    for remedy in ("trust=True", "RESUME_TRUST=1", "RESUME_KEY", "clean=True"):
        assert remedy in text
    assert not (tmp_path / "ran").exists()
    files = sorted(path.suffixes[-1] for path in (tmp_path / ".checkpoints/t").glob("0*"))
    assert files == [".ckpt", ".json"]


@needs_root
def test_trust_may_be_given(tmp_path, monkeypatch):
    """By the keyword or the environment; the keyword wins."""
    interrupt(3)
    give_away(tmp_path / ".checkpoints")

    monkeypatch.setenv("RESUME_TRUST", "1")
    with pytest.raises(TrustError):
        counted(trust=False)
    with pytest.raises(InterruptedError):
        counted(4)
    monkeypatch.delenv("RESUME_TRUST")
    give_away(tmp_path / ".checkpoints")
    assert counted(trust=True) == 5


def test_a_store_that_everybody_can_write_to(tmp_path):
    """As good as somebody else's."""
    interrupt(3)
    for path in (tmp_path / ".checkpoints/count").glob("*.ckpt*"):
        path.chmod(0o666)

    with pytest.raises(TrustError, match="every user of this machine can write to it"):
        counted()


@needs_root
def test_root_over_a_users_files(run_program, tmp_path):
    """Root runs that user's program anyway, so that user's files are as good as the program."""
    assert run_program(COUNT, "3").returncode == 9
    give_away(tmp_path / ".checkpoints")
    shutil.chown(tmp_path / "program.py", 65534, 65534)

    command = [sys.executable, "program.py"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)

    assert done.stdout == "restored 2\nresult 5\n", done.stderr


def test_a_loose_umask_leaves_the_store_closed(run_program, tmp_path):
    """Umask 002, the default of many machines: folders 0700 and files 0600 all the same."""
    done = run_program("import os\nos.umask(0o002)\n" + textwrap.dedent(COUNT))

    assert done.returncode == 0, done.stderr
    folder = tmp_path / ".checkpoints"
    for path in [folder, *folder.rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode & 0o077 == 0 or path.name == ".gitignore", f"{path} {mode:o}"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


# --- clocks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("year", [1971, 2040])
def test_a_clock_far_off(tmp_path, monkeypatch, year):
    """Numbers and not clocks tell which generation is newest; an age is never negative, and an
    interrupted state does not expire.
    """
    real = time.time
    offset = (year - 2026) * 365.25 * 86400
    monkeypatch.setattr(time, "time", lambda: real() + offset)
    interrupt(3)
    monkeypatch.undo()
    os.chdir(tmp_path)

    def again():
        i = 0
        chp = Checkpoint(
            "count", rate=0, background=False, args="saved", exclude=["stop", "options"]
        )
        record = chp.restore()
        chp.save()
        return i, record

    i, record = again()

    assert i == 2
    assert record.generation == 2
    assert record.age_s >= 0
    assert whole(tmp_path / ".checkpoints")[0] == 3
