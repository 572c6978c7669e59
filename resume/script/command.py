"""The words behind `resume run`, read without click: a script must not wait for it.

Everything behind the script's name belongs to the script.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from resume.errors import ConfigError, ResumeError
from resume.script.options import RunOptions, Saving
from resume.script.running import run_module, run_script
from resume.script.saving import ScriptSaving
from resume.script.seed import pin_hash_seed

OPTIONS = {
    "--rate": ("TIME", "Time between two saves (30, 5m); default: 30s."),
    "--name": ("NAME", "Name of the checkpoint; default: that of the script."),
    "--fresh": ("", "Set aside what is saved, and start anew."),
    "--on-change": ("WHAT", "refuse or restart: if the source is not that of the saved state."),
    "--keep": ("N", "Generations to keep; default: 3."),
    "--deadline": (
        "WHEN",
        "Time to be gone: 23h30m, 2026-11-23T08:00, none; default: job's end.",
    ),
    "--before-end": ("TIME", "Save and leave so long ahead of the deadline; default: 5m."),
    "--requeue": ("slurm", "Ask Slurm to start the job again when it leaves at its deadline."),
    "--watch": ("CLOUD", "aws, gcp or azure: save and leave when the machine is taken away."),
    "--dir": ("FOLDER", "Folder of checkpoints, instead of the one that is found."),
}
"""The options, with what they take and their help."""


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
        if name == "--fresh":
            found = found._replace(fresh=True)
            continue
        if not is_joined:
            if not rest:
                raise ConfigError(f"{name} lacks its value: {_usage(name)}")
            value = rest.pop(0)
        found = _with(found, name, value)
    if not rest or rest[0] == "-":
        raise ConfigError("name the script: `resume run SCRIPT [ARGS]`, or `resume run -m MODULE`")
    return found._replace(target=rest[0], argv=tuple(rest[1:]))


_AS_GIVEN = {"--name": "name", "--dir": "folder"}
_ONE_OF: dict[str, tuple[str, tuple[str, ...]]] = {
    "--on-change": ("on_change", ("refuse", "restart")),
    "--requeue": ("requeue", ("slurm",)),
    "--watch": ("watch", ("aws", "gcp", "azure")),
}
_TIMES = {"--rate": "rate", "--before-end": "before_end"}


def _with(found: RunOptions, name: str, value: str) -> RunOptions:
    changed: dict[str, Any]
    if name in _AS_GIVEN:
        changed = {_AS_GIVEN[name]: value}
    elif name in _TIMES:
        from resume.units import parse_seconds  # noqa: PLC0415 - not for a run without it

        parse_seconds(value, name)
        changed = {_TIMES[name]: value}
    elif name == "--deadline":
        _check_deadline(value)
        changed = {"deadline": value}
    elif name == "--keep" and value.isdecimal() and int(value) > 0:
        changed = {"keep": int(value)}
    else:
        field, known = _ONE_OF.get(name, ("", ()))
        if value not in known:
            raise ConfigError(f"{name} cannot be {value!r}: {_usage(name)}")
        changed = {field: value}
    return found._replace(**changed)


def _check_deadline(value: str) -> None:
    if value not in ("auto", "none"):
        from resume.triggers.deadline import parse_deadline  # noqa: PLC0415 - as above

        parse_deadline(value, "--deadline")


def _usage(name: str) -> str:
    return " ".join((name, *OPTIONS[name]))


def run(words: Sequence[str], saving: Callable[[RunOptions], Saving] = ScriptSaving) -> NoReturn:
    """Do what the words behind `resume run` say, in place of this program.

    Raises:
        ResumeError: The program did not start; the text says why.
    """
    options = read_words(words)
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
