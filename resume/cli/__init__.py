"""The command line `resume`: looks at checkpoints, checks them and cleans up; never unpickles.

Every error of ours ends the process with its own `exit_code` and one message on stderr.
"""

from __future__ import annotations

import errno
from typing import Any

import click

from resume import __version__
from resume.cli.demo import demo
from resume.cli.diff import diff
from resume.cli.doctor import doctor
from resume.cli.gc import gc
from resume.cli.key import key
from resume.cli.log import log
from resume.cli.ls import ls
from resume.cli.prove import prove
from resume.cli.rm import rm
from resume.cli.run import run
from resume.cli.save import save
from resume.cli.show import show
from resume.cli.shown import clean
from resume.cli.sweep import sweep
from resume.cli.verify import verify
from resume.errors import ResumeError, StoreError

__all__ = ["main"]


class _Commands(click.Group):
    """Turns errors of ours, and those of the disk, into one message and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ResumeError as why:
            _report(str(why))
            ctx.exit(why.exit_code)
        except OSError as why:
            if why.errno == errno.EPIPE:  # `resume ls | head`: click leaves quietly
                raise
            _report(f"{why.filename or 'the disk'}: {why.strerror or why}")
            ctx.exit(StoreError.exit_code)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self.commands)  # as a person meets them, not by the alphabet


def _report(text: str) -> None:
    first, *rest = (clean(line) for line in text.splitlines() or [""])
    click.echo("\n        ".join([f"resume: {first}", *rest]), err=True)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="resume")
def main() -> None:
    """Checkpoints of running Python computations: look at them, check them, clean up.

    The folder of checkpoints is --folder, else RESUME_DIR, else the nearest .checkpoints here or
    above, up to the root of the repository.
    """


for _command in (run, prove, ls, show, log, diff, sweep, save, verify, rm, gc, key, doctor, demo):
    main.add_command(_command)
