"""`resume prove`: does my script go on rightly? Kills it at random moments, and compares."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from resume.cli.proof_shown import Watching, print_proof, record_of
from resume.cli.shown import json_option, print_json
from resume.errors import ConfigError
from resume.proving import Copied, Job, Plan, Verdict, copy_folder
from resume.proving import prove as prove_job
from resume.units import parse_bytes, parse_seconds, show_bytes

EXIT_CODES = {
    Verdict.EQUAL: 0,
    Verdict.DIFFERENT: 1,
    Verdict.NOT_COMPARABLE: 3,
    Verdict.NEVER_SAVED: 3,
}
INTERRUPTED = 130


class _Prove(click.Command):
    """Leaves all that stands behind `-m MODULE` to the module, as `python` does."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        flags = {
            name for each in self.params if getattr(each, "is_flag", False) for name in each.opts
        }
        at = 0
        while at < len(args) and args[at].startswith("-") and args[at] not in {"-", "--"}:
            if args[at].startswith("-m"):
                end = at + (1 if args[at] != "-m" else 2)
                args = [*args[:end], "--", *args[end:]]
                break
            at += 1 if "=" in args[at] or args[at] in flags | {"-h", "--help"} else 2
        return super().parse_args(ctx, args)


@click.command(
    cls=_Prove,
    short_help="Kill a script at random moments, run it again, and compare the results.",
    context_settings={"allow_interspersed_args": False},
)
@click.option(
    "--kills",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="How often, not counting those before the first save.",
)
@click.option("--rate", help="Time between two saves (0.5, 5m); default: chosen by the duration.")
@click.option("--undo-files", is_flag=True, help="Under `resume run --undo-files`.")
@click.option("--seed", type=int, help="Draws the moments; default: another one each time.")
@click.option(
    "--stdin",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file to read; default: nothing.",
)
@click.option("--timeout", help="The longest that a run may take (5m).")
@click.option(
    "--link",
    "links",
    multiple=True,
    type=click.Path(path_type=Path),
    help="In this folder, and only read: linked, not copied. May be repeated.",
)
@click.option(
    "--limit", default="1GiB", show_default=True, help="The largest folder that is copied."
)
@click.option("-m", "module", metavar="MODULE", help="Run a module, as `python -m` does.")
@json_option
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="SCRIPT [ARGS]...")
@click.pass_context
def prove(ctx: click.Context, /, words: tuple[str, ...], **options: Any) -> None:
    """Find out whether a script may be trusted to go on where it was killed.

    Runs it twice with plain python, then under `resume run` with SIGKILL at random moments, each
    time followed by the same command again, and compares stdout, exit code and all files in the
    folder. Everything behind SCRIPT belongs to the script.

    Nothing here is touched: each run works in a copy of this folder in the temporary folder
    (TMPDIR), which needs room for four of them. Run it where the script finds all that it needs.
    Left out of the copy: .git, .checkpoints, virtual environments. Arguments that name paths in
    this folder are led into the copy. What the script does to the world outside (files at paths in
    its own text, a mail, a request) it really does, each time.

    Takes as long as four runs and more, plus a start for each kill. The seed draws the moments; how
    far the script is by then is up to the machine.

    Exit codes: 0 equal; 1 different; 2 wrong use; 3 nothing proved: two plain runs differ already
    (times, process ids, unseeded random numbers), or no run could go on from a save; 130 stopped.

    JSON: an object with verdict, why, difference (names, first), kills (working, returning,
    unsaved), rounds, went_on, saves, rate_s, seed, exit_code, stdout_bytes, written, python_s,
    python_cpu_s, resume_cpu_s, overhead, postponed (reason: count), warnings, not_compared.
    """
    _check_system()
    plan = Plan(
        kills=options["kills"],
        seed=random.SystemRandom().randrange(1 << 32)
        if options["seed"] is None
        else options["seed"],
        rate_s=_seconds(options["rate"], "--rate"),
        timeout_s=_seconds(options["timeout"], "--timeout"),
    )
    folder = Path.cwd()
    job = Job(
        words=_words(folder, words, options["module"]),
        folder=folder,
        hash_seed=_hash_seed(plan.seed),
        stdin=options["stdin"] and options["stdin"].absolute(),
        options=("--undo-files",) if options["undo_files"] else (),
    )
    watching = Watching(plan.kills, quiet=options["as_json"])
    with (
        _interruptible(ctx),
        tempfile.TemporaryDirectory(prefix="resume-prove-", ignore_cleanup_errors=True) as name,
    ):
        scratch = Path(os.path.realpath(name))
        copied = copy_folder(
            folder,
            scratch / "given",
            most_bytes=parse_bytes(options["limit"], "--limit"),
            linked={_inside(folder, link, "--link") for link in options["links"]},
        )
        watching.ends(_told(copied))
        with watching:
            proof = prove_job(job, plan, scratch, watching)
    if options["as_json"]:
        print_json(record_of(proof))
    else:
        print_proof(proof)
    ctx.exit(EXIT_CODES[proof.verdict])


def _told(copied: Copied) -> str:
    files = f"{copied.files} file{'' if copied.files == 1 else 's'}"
    linked = f", {copied.linked} linked" if copied.linked else ""
    return f"copied this folder: {files}, {show_bytes(copied.size_bytes)}{linked}"


def _check_system() -> None:
    if not hasattr(signal, "SIGKILL") or not hasattr(os, "killpg"):
        raise ConfigError(
            "`resume prove` kills process groups by SIGKILL, and this system has neither. It works "
            "on Linux and macOS; `resume run` works here all the same"
        )


def _seconds(text: str | None, option: str) -> float | None:
    if text is None:
        return None
    seconds = parse_seconds(text, option)
    if not seconds:
        raise ConfigError(f"{option}={text} is no time: give more than 0")
    return seconds


def _hash_seed(seed: int) -> str:
    said = os.environ.get("PYTHONHASHSEED", "")
    return said if said.isdecimal() else str(seed % (1 << 32))


def _words(folder: Path, words: Sequence[str], module: str | None) -> tuple[str, ...]:
    if module is not None:
        return ("-m", module, *words)
    if not words:
        raise ConfigError(
            "name the script: `resume prove SCRIPT [ARGS]`, or `resume prove -m MODULE`"
        )
    script = folder / words[0]
    if not script.is_file():
        raise ConfigError(f"{words[0]} cannot be run: there is no such file")
    relative = _inside(folder, Path(words[0]), "the script")
    return (words[0] if Path(words[0]).is_absolute() else str(relative), *words[1:])


def _inside(folder: Path, path: Path, what: str) -> Path:
    """The path relative to the folder."""
    plain = Path(os.path.normpath(folder / path))
    if plain == folder or not plain.is_relative_to(folder):
        raise ConfigError(
            f"{what} {path} does not lie in {folder}: each run works in a copy of the folder that "
            "you are in. Go to the one that holds the script and all that it reads and writes"
        )
    return plain.relative_to(folder)


@contextlib.contextmanager
def _interruptible(ctx: click.Context) -> Iterator[None]:
    """Leave no child and no scratch folder behind, whoever wants us to end."""

    def leave(number: int, _: object) -> NoReturn:
        sys.exit(128 + number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    except KeyboardInterrupt:
        click.echo("interrupted: nothing is proved, and nothing was changed", err=True)
        ctx.exit(INTERRUPTED)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
