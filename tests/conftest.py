"""Fixtures for all tests: a folder of one's own, no environment of the developer, real programs."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from schedulers import VARIABLES

CHECKOUT = Path(__file__).resolve().parent.parent

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell ignores it for what it runs in the background, and so would every program run here.
    signal.signal(signal.SIGINT, signal.default_int_handler)

SHARES = 3
"""Pythons that are supported. Of many like cases each runs its share, and all run on some."""


@pytest.hookimpl(tryfirst=True)  # before the cases that are not asked for are left out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of the cases marked `shared`, those that another Python runs are slow ones on this."""
    for item in items:
        given = item.callspec.params if hasattr(item, "callspec") else {}
        if any(issubclass(type(each), BaseException) for each in given.values()):
            # once raised it holds all frames of its test, and what they saved, to the run's end
            raise pytest.UsageError(f"{item.nodeid}: give what makes the error, not the error")
        if item.get_closest_marker("shared"):
            case = sum(item.callspec.indices.values())  # type: ignore[attr-defined]
            if (case + sys.version_info.minor) % SHARES:
                item.add_marker("slow")


def pytest_collection_finish() -> None:
    """Let no collection of garbage look through thousands of tests: many tests ask for one."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Generator[None, None, None]:
    """The clock goes by the time zone of the environment again, which fixtures have put back."""
    try:
        yield
    finally:
        time.tzset()


@pytest.fixture(autouse=True)
def no_run_outlives_its_test() -> Iterator[None]:
    """An error that is kept, or a name of a module, would let it listen to signals and files."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    if "resume.registry" in sys.modules:
        for run in sys.modules["resume.registry"]._runs():
            run.close()
    if "resume.triggers.signals" in sys.modules:
        for one in sys.modules["resume.triggers.signals"]._subscriptions.copy():
            one.close()
    for number, handler in before.items():  # where a loop of asyncio has left its own
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test runs in `tmp_path`, without any `RESUME_*` variable and without the user's key.

    Nor does it know of the scheduler's job that it may be part of.
    """
    for variable in [key for key in os.environ if key.startswith("RESUME_")]:
        monkeypatch.delenv(variable)
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))
    # Compiling the package anew in each child of a test is most of the time that many tests take.
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    # A program in the folder imports the package under test, installed or not.
    paths = [str(CHECKOUT), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run_program(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Call it with a program's text and arguments: runs `program.py` in a child to its end."""

    def run(
        source: str, *args: str, name: str = "program.py", timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        path = tmp_path / name
        path.write_text(textwrap.dedent(source), encoding="utf-8")
        return subprocess.run(
            [sys.executable, str(path), *args],
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run
