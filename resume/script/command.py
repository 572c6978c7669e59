"""The words behind `resume run`, read without click: a script must not wait for it.

Everything behind the script's name belongs to the script.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn, TypeAlias

from resume.errors import ConfigError, ResumeError
from resume.script.options import RunOptions, Saving
from resume.script.running import run_module, run_script
from resume.script.saving import ScriptSaving
from resume.script.seed import pin_hash_seed

OPTIONS = {
    "--rate": ("TIME", "Time between two saves (30, 5m, auto); default: 30s."),
    "--max-overhead": ("PART", "With --rate=auto: of the run time, for saves; default: 0.01."),
    "--max-loss": ("TIME", "With --rate=auto: longest time between two saves; default: 5m."),
    "--iterations": ("N", "Save at every N-th resume.sync() of the program, too."),
    "--at-start": ("", "Save at the first statement of a program that begins, too."),
    "--on-save-error": ("WHAT", "warn, or raise: end the program where a save fails."),
    "--name": ("NAME", "Name of the checkpoint; default: that of the script."),
    "--fresh": ("", "Set aside what is saved, and start anew."),
    "--on-change": ("WHAT", "refuse or restart: if the source is not that of the saved state."),
    "--keep": ("N", "Generations to keep; default: 3."),
    "--undo-files": ("", "Put files back that were changed since the save that is gone on from."),
    "--deadline": (
        "WHEN",
        "Time to be gone: 23h30m, 2026-11-23T08:00, none; default: job's end.",
    ),
    "--before-end": ("TIME", "Save and leave so long ahead of the deadline; default: 5m."),
    "--requeue": ("slurm", "Ask Slurm to start the job again when it leaves at its deadline."),
    "--signals": ("NAMES", "Save and leave at these (TERM,USR1), or none; default: INT,TERM."),
    "--exit-code": ("STATUS", "Of a program that was left because of a signal; default: 130, 143."),
    "--watch": ("CLOUD", "aws, gcp or azure: save and leave when the machine is taken away."),
    "--dir": ("FOLDER", "Folder of checkpoints, instead of the one that is found."),
}
"""The options, with what they take and their help."""

SWITCHES: Mapping[str, Mapping[str, Any]] = {
    "--fresh": {"fresh": True},
    "--at-start": {"at_start": True},
    "--undo-files": {"undo_files": True},
}


def read_words(words: Sequence[str]) -> RunOptions:
    """Read what stands behind `resume run`.

    Raises:
        ConfigError: An option is unknown or lacks its value, or no script is named.
    """
    found, rest = RunOptions(""), list(words)
    while rest and rest[0].startswith("-") and rest[0] != "-":
        word = rest.pop(0)
        if word == "--":
            break
        if word.startswith("-m"):
            module = word[2:] or (rest.pop(0) if rest else "")
            if not module:
                raise ConfigError("`resume run -m` lacks the name of the module")
            return found._replace(target=module, argv=tuple(rest), is_module=True)
        name, is_joined, value = word.partition("=")
        if name not in OPTIONS:
            known = ", ".join(OPTIONS)
            raise ConfigError(f"`resume run` knows no option {name}. It knows {known}, -m and -h")
        if name in SWITCHES:
            found = found._replace(**SWITCHES[name])
            continue
        if not is_joined:
            if not rest:
                raise ConfigError(f"{name} lacks its value: {_usage(name)}")
            value = rest.pop(0)
        found = _with(found, name, value)
    if not rest or rest[0] == "-":
        raise ConfigError("name the script: `resume run SCRIPT [ARGS]`, or `resume run -m MODULE`")
    return found._replace(target=rest[0], argv=tuple(rest[1:]))


def _with(found: RunOptions, name: str, value: str, said_by: str = "") -> RunOptions:
    field, read = READ[name]
    said_by = said_by or name
    try:
        return found._replace(**{field: read(value, said_by)})
    except _UnfitError:
        raise ConfigError(f"{said_by} cannot be {value!r}: {_usage(name)}") from None


class _UnfitError(Exception):
    """A value that the option does not take."""


_Read: TypeAlias = Callable[[str, str], Any]


def _text(value: str, name: str) -> str:  # noqa: ARG001
    return value


def _one_of(*choices: str) -> _Read:
    def read(value: str, name: str) -> str:  # noqa: ARG001
        if value not in choices:
            raise _UnfitError
        return value

    return read


def _seconds_or(*words: str) -> _Read:
    def read(value: str, name: str) -> str:
        if value not in words:
            from resume.units import parse_seconds  # noqa: PLC0415 - not for a run without it

            parse_seconds(value, name)
        return value

    return read


def _number(value: str, name: str) -> int:  # noqa: ARG001
    if not value.isdecimal() or not int(value):
        raise _UnfitError
    return int(value)


def _part(value: str, name: str) -> float:  # noqa: ARG001
    try:
        part = float(value)
    except ValueError:
        raise _UnfitError from None
    if not 0 < part <= 1:
        raise _UnfitError
    return part


def _deadline(value: str, name: str) -> str:
    from resume.triggers.deadline import parse_deadline  # noqa: PLC0415 - not for a run without it

    if value not in ("auto", "none"):
        parse_deadline(value, name)
    return value


def _signals(value: str, name: str) -> str:
    from resume.units import parse_signals  # noqa: PLC0415 - not for a run without it

    parse_signals(value, name)
    return value


def _status(value: str, name: str) -> int:
    from resume.units import parse_status  # noqa: PLC0415 - not for a run without it

    if not value.isdecimal():
        raise _UnfitError
    parse_status(int(value), name)
    return int(value)


READ: Mapping[str, tuple[str, _Read]] = {
    "--rate": ("rate", _seconds_or("auto")),
    "--max-overhead": ("max_overhead", _part),
    "--max-loss": ("max_loss", _seconds_or()),
    "--iterations": ("iterations", _number),
    "--on-save-error": ("on_save_error", _one_of("warn", "raise")),
    "--name": ("name", _text),
    "--on-change": ("on_change", _one_of("refuse", "restart")),
    "--keep": ("keep", _number),
    "--deadline": ("deadline", _deadline),
    "--before-end": ("before_end", _seconds_or()),
    "--requeue": ("requeue", _one_of("slurm")),
    "--watch": ("watch", _one_of("aws", "gcp", "azure")),
    "--signals": ("signals", _signals),
    "--exit-code": ("exit_code", _status),
    "--dir": ("folder", _text),
}
"""For each option that takes a value: its field, and what reads it."""

_ENVIRONMENT = {
    "--signals": "RESUME_SIGNALS",
    "--exit-code": "RESUME_EXIT_CODE",
}
"""What stands in for an option that is not there; the rest is looked up where it is needed."""


def with_environment(found: RunOptions) -> RunOptions:
    """What the environment says where no option does.

    Raises:
        ConfigError: It says what the option does not take.
    """
    for name, variable in _ENVIRONMENT.items():
        said = os.environ.get(variable)
        if said and getattr(found, READ[name][0]) is None:
            found = _with(found, name, said, variable)
    return found


def _usage(name: str) -> str:
    return " ".join((name, *OPTIONS[name]))


def run(words: Sequence[str], saving: Callable[[RunOptions], Saving] = ScriptSaving) -> NoReturn:
    """Do what the words behind `resume run` say, in place of this program.

    Raises:
        ResumeError: The program did not start; the text says why.
    """
    options = with_environment(read_words(words))
    keeper = saving(options)
    pin_hash_seed(keeper.hash_seed())
    start = run_module if options.is_module else run_script
    start(options.target, options.argv, keeper)


def main(words: Sequence[str]) -> NoReturn:
    """`run`, with one line and an exit code in place of an error."""
    try:
        run(words)
    except ResumeError as why:
        sys.stderr.write(f"resume: {why}\n")
        sys.exit(why.exit_code)
