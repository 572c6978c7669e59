"""Run one program of the corpus as `__main__`, and kill it where the test wants it killed.

    python run_program.py PROGRAM [ARGUMENT...]     one program in this process
    python run_program.py --serve                   a fork for each job that standard input names

The kill is the test's process control: RESUME_TEST_KILL=commit:K ends the process by SIGKILL right
after its K-th commit, tick:K at the K-th call of `ticks.tick()`. Nothing of the library is
replaced; what `Store` commits is counted from outside. A report of what was counted is written at a
normal end.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import inspect
import json
import os
import pkgutil
import signal
import sys
import threading
import types
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any, NoReturn

LONGEST_RUN_S = 30

report: dict[str, Any] = {"commits": 0, "ticks": 0}


def write_report() -> None:
    if path := os.environ.get("RESUME_TEST_REPORT"):
        ticks = sys.modules.get("ticks")
        report["ticks"] = 0 if ticks is None else ticks.count
        Path(path).write_text(json.dumps(report))


def note_error(kind: type[BaseException], why: BaseException, trace: Any) -> None:
    report["error"] = [base.__name__ for base in kind.__mro__]
    report["text"] = str(why)
    sys.__excepthook__(kind, why, trace)


def count_commits() -> None:
    from resume.store import Store

    commit = Store._write  # of every save, beside the program or in it
    what, _, number = os.environ.get("RESUME_TEST_KILL", "").partition(":")
    kill_at = int(number) if what == "commit" else 0

    def counted(self: Store, *arguments: Any, **named: Any) -> Any:
        manifest = commit(self, *arguments, **named)
        report["commits"] += 1
        if report["commits"] == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return manifest

    Store._write = counted


def run(program: str, arguments: list[str]) -> None:
    """Do what `python PROGRAM ARGUMENTS` does, in this process."""
    sys.excepthook = note_error
    count_commits()
    sys.argv = [program, *arguments]
    sys.path[0] = str(Path(program).parent)
    main = types.ModuleType("__main__")
    main.__file__ = program
    main.__loader__ = SourceFileLoader("__main__", program)
    sys.modules["__main__"] = main
    exec(compile(Path(program).read_bytes(), program, "exec"), main.__dict__)


def warm_up() -> None:
    """Import what a program will, the library's own modules too: then a child costs a fork."""
    import difflib  # noqa: F401
    import locale  # noqa: F401

    import numpy.random  # noqa: F401
    import platformdirs  # noqa: F401

    import resume

    for module in pkgutil.walk_packages(resume.__path__, "resume."):
        if not module.name.endswith("__main__") and ".cli" not in module.name:
            importlib.import_module(module.name)
    inspect.getsource(serve)


def serve() -> None:
    """Fork a child for each line of standard input, wait for its end, answer with its status."""
    warm_up()
    gc.collect()
    gc.freeze()  # or each child would copy all of it when it collects
    for line in iter(sys.stdin.readline, ""):
        job = json.loads(line)
        child = os.fork()
        if child == 0:
            become(job)
            live(job)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(json.dumps({"code": os.waitstatus_to_exitcode(status)}) + "\n")
        sys.stdout.flush()


def live(job: dict[str, Any]) -> NoReturn:
    """Run the program and end as an interpreter does, but for the teardown of the modules.

    That takes ten times as long as all the rest; the tests with whole processes have it.
    """
    code = 0
    try:
        run(job["program"], job["arguments"])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def become(job: dict[str, Any]) -> None:
    """Give the fork the streams, environment and folder of a process of its own."""
    base = job["base"]
    for number, name, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, base + ".out", os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        (2, base + ".err", os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
    ):
        opened = os.open(name, flags, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    os.environ.update(job["env"], RESUME_TEST_REPORT=base + ".report")
    os.chdir(job["cwd"])
    signal.alarm(LONGEST_RUN_S)  # a hang ends as signal 14, and the test says so


if __name__ == "__main__":
    atexit.register(write_report)  # before the library's own, so it runs after them
    if sys.argv[1] == "--serve":
        serve()
    else:
        run(sys.argv[1], sys.argv[2:])
