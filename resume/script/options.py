"""What `resume run` was asked for, and what it asks of whoever saves the program's state."""

from __future__ import annotations

import builtins
import math
import types
from collections.abc import Callable, Iterable, Mapping
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from resume.interpreter import unseen, without_hidden

if TYPE_CHECKING:
    from resume.reentry.program import Program
    from resume.script.reach import Source


class RunOptions(NamedTuple):
    """What to run, and the options of `resume run`; None where nothing was said.

    A named tuple, for the modules behind `dataclasses` take longer to load than all of these.
    """

    target: str
    """Path of the script as it was typed, or name of the module."""
    argv: tuple[str, ...] = ()
    """What the program finds behind its name."""
    is_module: bool = False
    rate: str | None = None
    """Time between two saves: `30`, `"5m"`; `"auto"`: as the next two allow."""
    max_overhead: float | None = None
    """The part of the run time that saves may take."""
    max_loss: str | None = None
    """The longest time between two saves."""
    iterations: int | None = None
    """Save at every n-th `resume.sync()` of the program, too."""
    at_start: bool = False
    """Save at the first statement of a program that begins, too."""
    on_save_error: str = "warn"
    """Or `"raise"`: what to do where a save fails."""
    name: str | None = None
    """Of the checkpoint; else the script's stem, or the module's name."""
    fresh: bool = False
    """What is saved is set aside."""
    on_change: str = "refuse"
    """Or `"restart"`: what to do where the source is not that of the saved state."""
    keep: int | None = None
    """Generations to keep."""
    undo_files: bool = False
    """What files held is kept, and put back on the way back."""
    folder: str | None = None
    """Where checkpoints lie."""
    deadline: str = "auto"
    """When the program has to be gone: `"23h30m"`, a date with a time, `"none"`."""
    before_end: str | None = None
    """How long ahead of that to leave."""
    requeue: str | None = None
    """Or `"slurm"`: who is asked to start it again when it leaves."""
    signals: str | None = None
    """At which ones to save and leave: `"TERM,USR1"`, `"none"`."""
    exit_code: int | None = None
    """Of a program that was left because of one."""
    watch: str | None = None
    """The cloud that may take the machine away: `"aws"`, `"gcp"`, `"azure"`."""


class Running(Protocol):
    """A program that runs, for whoever saves it."""

    def program(self) -> Program:
        """Its modules that were rewritten, with their tables.

        The first call rewrites all of them once more: for a first save it is made beside the
        program, in the timer's thread.
        """

    def sources(self) -> Mapping[str, Source]:
        """The source of each module, as it was when it was loaded."""

    def define_only(self, code_of: Callable[[str], CodeType] | None) -> None:
        """Let modules run what *code_of* gives in place of their code, from now on; None: no more.

        On the way back, what a module has done once is not done again.
        """

    def ask(self) -> None:
        """Let a save be due now; from any thread and any signal's handler."""

    def reasons(self) -> Mapping[str, int]:
        """Why attempts ended before `at_point` was asked, and how often."""


class Saving(Protocol):
    """Saves the state of a program that runs, and brings it back.

    All methods but `make_ready` and `wait_s` are called in the main thread.
    """

    def hash_seed(self) -> str | None:
        """PYTHONHASHSEED of the saved state; None: there is none. Asked before anything else."""

    def helpers(self) -> Mapping[str, Any]:
        """What rewritten code calls: the fields of `rewrite.Helpers`, by name.

        `iterate`, `hide` and `entered` must be `unseen`: they may call code of the program.
        """

    def prepare(self) -> None:
        """Import all that a save needs: files of the program bear the names of libraries."""

    def begin(self, code: CodeType, running: Running) -> CodeType:
        """Return what runs as `__main__`: *code*, or what goes on from the saved state.

        Called when `sys.modules["__main__"]`, `sys.path` and the import hook are in place.
        """

    def make_ready(self) -> None:
        """Make all ready for a save; called before each one, in the timer's thread."""

    def wait_s(self) -> float | None:
        """Seconds from now until a save is due; None: only when asked. In the timer's thread.

        None at the start: there is no timer.
        """

    def poll_s(self) -> float:
        """Look whether a save is wanted; seconds until the next look. In the timer's thread."""

    def at_point(self, frame: FrameType) -> bool:
        """Save, at the start of a statement of *frame*; False: this was no place for it."""

    def ended(self, raised: BaseException | None) -> None:
        """The program has ended: in which way it did; its traceback is still to be shown."""


_SOME: tuple[Iterable[Any], ...] = ([], (), "", b"", {}, set(), range(0))
_TYPES = frozenset(
    {list, tuple, str, bytes, bytearray, dict, set, frozenset, range, types.GeneratorType}
    | set(map(type, map(iter, _SOME)))
    | {enumerate, zip, type({}.items()), type({}.keys()), type({}.values())}
)


@unseen
def _iterate(value: Any) -> Any:  # pragma: no cover - no tracer sees it
    return value  # the loop makes the iterator


def _refuse(*_: Any) -> Any:
    raise AssertionError("a residual runs, and nothing was saved")  # pragma: no cover


class NoSaving:
    """The program runs rewritten, and nothing is saved."""

    def __init__(self, options: RunOptions) -> None:
        self.options = options

    def hash_seed(self) -> str | None:
        """There is none."""
        return None

    def helpers(self) -> Mapping[str, Any]:
        """Plain iterators; residuals do not run."""
        residuals = dict.fromkeys(("following", "entered", "again", "delegate"), _refuse)
        return {"types": _TYPES, "iterate": _iterate, "hide": without_hidden, **residuals}

    def prepare(self) -> None:
        """Nothing."""

    def begin(self, code: CodeType, running: Running) -> CodeType:  # noqa: ARG002
        """The program begins at its beginning."""
        return code

    def make_ready(self) -> None:
        """Nothing."""

    def wait_s(self) -> float | None:
        """Never."""
        return None

    def poll_s(self) -> float:
        """Nobody wants one."""
        return math.inf

    def at_point(self, frame: FrameType) -> bool:  # noqa: ARG002
        """Nothing."""
        return True

    def ended(self, raised: BaseException | None) -> None:
        """Nothing."""


BUILTINS: Mapping[str, Any] = {
    name: getattr(builtins, name) for name in ("type", "slice", "super", "BaseException")
}
"""As they are before the program can put something else in their place."""
