"""`resume run`: shown among the commands; the words are read by `script.command`, without click."""

from __future__ import annotations

import click

from resume.script.command import OPTIONS
from resume.script.command import run as run_words


class _Run(click.Command):
    """Shows its options as click would."""

    def format_options(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        formatter: click.HelpFormatter,
    ) -> None:
        with formatter.section("Options"):
            words = [(f"{name} {takes}".strip(), text) for name, (takes, text) in OPTIONS.items()]
            formatter.write_dl([*words, ("-m MODULE", "Run a module, as `python -m` does.")])


@click.command(
    cls=_Run,
    short_help="Run an unmodified script so that it can be continued.",
    options_metavar="[OPTIONS]",
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="SCRIPT [ARGS]...")
@click.pass_context
def run(ctx: click.Context, words: tuple[str, ...]) -> None:
    """Run a script as `python SCRIPT` does; killed and run again, it goes on where it was.

    Everything behind SCRIPT belongs to the script.
    """
    if not words or words[0] in {"-h", "--help"}:
        click.echo(ctx.get_help())
        return
    run_words(words)
