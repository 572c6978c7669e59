"""Runs of one script, one after the other, in forks of one warm interpreter.

    python resumable_forks.py '{"script": ..., "argv": [...], "lives": [0, 3, 1, 0]}'

`lives`: after how many saves each run dies by SIGKILL; 0: it runs to its end, saving as usual.
Prints what each run said and how it ended, as JSON.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import sys
import tempfile
import traceback
from pathlib import Path
from types import FrameType
from typing import Any

sys.path[0] = str(Path(__file__).parent.parent.parent)
from resume.decorated.execution import CallExecution  # noqa: E402

SAVE = CallExecution.save


def die_after(lives: int) -> None:
    """From now on a save is always due, and the process ends behind so many."""
    saves = [0]

    def save(execution: CallExecution, frame: FrameType, trigger: str, *, at_line: bool) -> bool:
        before = execution.engine.last
        done = SAVE(execution, frame, trigger, at_line=at_line)
        if done and execution.engine.is_writing:
            execution.engine.settle()
        if done and execution.engine.last is not before:
            saves[0] += 1
            if saves[0] == lives:
                os.kill(os.getpid(), signal.SIGKILL)
        return done

    CallExecution.save = save  # type: ignore[method-assign]
    CallExecution.wait_s = lambda _: 0.0  # type: ignore[method-assign]


def one_run(script: str, argv: list[str], lives: int) -> dict[str, Any]:
    """Run the script in a child, and say how it ended."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as told:
        child = os.fork()
        if not child:
            os.dup2(out.fileno(), 1)
            os.dup2(told.fileno(), 2)
            _become(script, argv, lives)
        _, status = os.waitpid(child, 0)
        out.seek(0)
        told.seek(0)
        return {
            "code": os.waitstatus_to_exitcode(status),
            "out": out.read(),
            "told": told.read(),
        }


def _become(script: str, argv: list[str], lives: int) -> None:
    code = 0
    try:
        if lives:
            die_after(lives)
            os.environ["PAUSE_S"] = "0.05"
        sys.argv = [script, *argv]
        sys.path[0] = str(Path(script).resolve().parent)
        runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    except BaseException:
        traceback.print_exc()
        code = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    wanted = json.loads(sys.argv[1])
    runs = [one_run(wanted["script"], wanted["argv"], lives) for lives in wanted["lives"]]
    print(json.dumps(runs))
