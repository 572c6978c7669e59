"""`resume run`, saving as often as it can, and dying by SIGKILL behind one of its saves.

    python reentry_dying.py SAVES WORDS...

WORDS are those behind `resume run`; SAVES says how many saves it lives. 0: to its end, saving as
often as anybody else.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import CodeType, FrameType


def main() -> None:
    """Take our own words away, and become the program."""
    from resume.script.command import run
    from resume.script.options import Running
    from resume.script.saving import ScriptSaving

    lives = int(sys.argv[1])

    class DyingSaving(ScriptSaving):
        """A save is due at all times; behind the last one the process is gone."""

        saves = 0

        def begin(self, code: CodeType, running: Running) -> CodeType:
            made = super().begin(code, running)
            self.execution()  # not while the program runs: it may be short
            return made

        def wait_s(self) -> float | None:
            if not lives:
                return super().wait_s()
            return None if self._execution is not None and self._execution.is_off else 0.0

        def at_point(self, frame: FrameType) -> bool:
            execution = self.execution()
            before = execution.engine.last
            done = execution.save(frame, "sync", at_line=True)
            if done and execution.engine.is_writing:
                execution.engine.settle()
            if done and execution.engine.last is not before:
                self.saves += 1
                if self.saves == lives:
                    os.kill(os.getpid(), signal.SIGKILL)
            return done

    sys.path[0] = str(Path(__file__).parent.parent.parent)
    run(sys.argv[2:], DyingSaving)


if __name__ == "__main__":
    main()
