"""Run a script rewritten, as `python SCRIPT` would, and stop it to go on in residuals.

One warm interpreter forks a process for each script, and this one a child for each run: `0` is
undisturbed and counts the line events of the script, the others each stop once (or, every third, up
to three times) at places drawn by a seed. Each child has a folder of its own to run in, and leaves
its stdout, stderr and a report beside it.

Objects stay alive over a stop, and modules beside the script are run as they are: what is proved
is that the residuals are right. The frames that were left stay alive, too, with all that they hold.
"""

from __future__ import annotations

import atexit
import contextvars
import functools
import gc
import importlib
import json
import os
import random
import sys
import threading
import traceback
import types
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "unit" / "rewrite"))

from rewriting import Postponed, Queue, Run, make_helpers

from resume.rewrite import RewrittenModule, Suspension, rewrite

PER_THREAD = {"no_grad", "enable_grad", "inference_mode", "set_grad_enabled", "errstate"}
"""Context managers of the thread or of its context: they are entered again in the next one."""
Stack = list[tuple[int, Suspension, types.FrameType, dict[str, Any]]]


class Stopping(Run):
    """A run that stops after so many line events each, and ends the process by itself."""

    def __init__(self, module: RewrittenModule, queue: Queue, names: dict[str, Any]) -> None:
        super().__init__(module, queue, names, log=[], stop=0)
        self.gaps: list[int] = []
        """Line events to the next stop, and from there to the one after."""
        self.lines = 0
        self.stopped_at: list[str] = []
        self.whys: Counter[str] = Counter()

    def trace(self, frame: types.FrameType, event: str, arg: object) -> Any:
        table = self.module.tables.get(id(frame.f_code))
        if table is None or table.block not in self.module.blocks:
            return None
        if event == "line":
            self.lines += 1
            if self.gaps and self.lines >= self.gaps[0]:
                self._line(frame)
        return self.trace

    def _line(self, frame: types.FrameType) -> None:
        if self.queue.ready or threading.active_count() > 1 + len(self.stopped_at):
            return
        try:
            stack = self.capture(frame)
            self._check_generators(stack)
        except Postponed as why:
            self.whys[str(why)] += 1
            return
        self.stopped_at.append(f"{frame.f_code.co_qualname}:{frame.f_lineno}")
        self.gaps.pop(0)
        self.lines = 0
        trace = self.trace if self.gaps else None
        context = contextvars.copy_context()
        thread = threading.Thread(
            target=context.run, args=(self.end, lambda: self.go_on(stack), trace)
        )
        thread.start()
        thread.join()

    def end(self, act: Any, trace: Any) -> None:
        """Let *act* run to its end, say how it ended as the interpreter does, and be gone."""
        code = 0
        try:
            try:
                sys.settrace(trace)
                act()
            finally:
                sys.settrace(None)  # the process ends here
        except SystemExit as leaving:
            code = self._status(leaving.code)
        except BaseException as error:  # whatever ends a program
            code = 1
            self._print(error)
        if threading.current_thread() is threading.main_thread():
            threading._shutdown()
        atexit._run_exitfuncs()
        sys.stdout.flush()
        self.report(code)
        os._exit(code)

    @staticmethod
    def _status(code: object) -> int:
        if code is None:
            return 0
        if isinstance(code, int):
            return code & 0xFF
        print(code, file=sys.stderr)
        return 1

    def _print(self, error: BaseException) -> None:
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename != self.module.filename:
            trace = trace.tb_next
        traceback.print_exception(type(error), error, trace)

    def report(self, code: int) -> None:
        """Leave beside the folder what happened, for the test."""
        said = {
            "code": code,
            "lines": self.lines,
            "stops": self.stopped_at,
            "postponed": dict(self.whys),
        }
        self.report_path.write_text(json.dumps(said), encoding="utf-8")

    report_path = Path("report")

    # -- what the machine of the unit tests does not meet

    def capture(self, frame: types.FrameType) -> Stack:
        found = super().capture(frame)
        return [
            (
                number,
                Suspension(
                    where.position,
                    where.entry,
                    where.bound,
                    reentered=frozenset(name for name in values if _is_per_thread(values[name])),
                ),
                inner,
                values,
            )
            for number, where, inner, values in found
        ]

    def _callee(self, callee: Any, frame: types.FrameType, values: dict[str, Any]) -> Any:
        found = super()._callee(callee, frame, values)
        if isinstance(found, functools._lru_cache_wrapper):
            raise Postponed("the result of a residual would not reach the cache")
        return found

    def _check_generators(self, stack: Stack) -> None:
        """A generator that runs is replaced wherever it is held, or the stop is postponed."""
        self._holders: dict[int, list[Any]] = {}
        for _, _, frame, _ in stack:
            if not frame.f_code.co_flags & 0x20:
                continue
            generator = next(
                each
                for each in gc.get_objects()
                if type(each) is types.GeneratorType and each.gi_frame is frame
            )
            holders = [
                each
                for each in gc.get_referrers(generator)
                if each is not frame and not isinstance(each, types.FrameType)
            ]
            ours = [values for *_, values in stack]
            for holder in holders:
                if not isinstance(holder, (dict, list, types.CellType)):
                    raise Postponed(f"a {type(holder).__name__} holds a generator that runs")
            self._holders[id(frame)] = [
                each for each in holders if not any(each is values for values in ours)
            ]

    def _swap_global(self, frame: types.FrameType, left: types.FrameType, generator: Any) -> None:
        for holder in self._holders.get(id(left), ()):
            if isinstance(holder, types.CellType):
                holder.cell_contents = generator
                continue
            keys = list(holder) if isinstance(holder, dict) else range(len(holder))
            for key in keys:
                if getattr(holder[key], "gi_frame", None) is left:
                    holder[key] = generator


def _is_per_thread(value: object) -> bool:
    return type(value).__name__ in PER_THREAD


def prepared(script: Path, arguments: list[str]) -> Stopping:
    """Make the module `__main__` of *script*, and the rewritten code for it."""
    main = types.ModuleType("__main__")
    main.__dict__.update(__file__=str(script), __builtins__=__builtins__, __cached__=None)
    sys.modules["__main__"] = main
    sys.argv = [str(script), *arguments]
    sys.path[0] = str(script.parent)
    queue = Queue()
    module = rewrite(script.read_bytes(), str(script), make_helpers(queue))
    return Stopping(module, queue, main.__dict__)


def in_child(run: Stopping, folder: Path, stdin: Path, gaps: list[int]) -> None:
    """Run it in a fork, in *folder*; wait for its end."""
    folder.mkdir()
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    os.chdir(folder)
    for number, path in ((1, folder.with_suffix(".out")), (2, folder.with_suffix(".err"))):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    os.dup2(os.open(stdin, os.O_RDONLY), 0)
    sys.stdin = open(0, closefd=False)
    run.gaps = gaps
    run.report_path = folder.with_suffix(".report")
    # 3.12 says so where the variables of a frame are read, in the middle of a comprehension of it.
    warnings.filterwarnings("ignore", message="assigning None to unbound local")
    run.end(lambda: exec(run.module.code, run.names), run.trace)


def stopped_runs(job: dict[str, Any]) -> None:
    """Run one script undisturbed, then stop it at each of the places that the seed draws."""
    base, script, stdin = Path(job["base"]), Path(job["script"]), Path(job["stdin"])
    for library in job["needs"]:
        importlib.import_module(library)  # once, before the forks
    run = prepared(script, job["arguments"])
    in_child(run, base / "0", stdin, [])
    lines = json.loads((base / "0.report").read_text())["lines"]
    draw = random.Random(f"{job['seed']} {script.name}")
    for number in range(1, job["stops"] + 1):
        # One place in each part of the run, so that no part is left out.
        first = int((number - draw.random()) * lines / job["stops"]) + 1
        gaps = [first] if number % 3 else [first, draw.randint(1, 40), draw.randint(1, 400)]
        in_child(run, base / str(number), stdin, gaps)


def main() -> None:
    """Do one job for each line of stdin, a JSON object, and answer each with a line."""
    for line in sys.stdin:
        child = os.fork()
        if not child:
            sys.stdin.close()
            stopped_runs(json.loads(line))
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
