"""`python -m resume` is the command `resume`."""

from __future__ import annotations

import sys


def main() -> None:
    """Do what the command line says; `run` without what the other commands need."""
    words = sys.argv[1:]
    if words[:1] == ["run"]:
        from resume.script.command import asks_for_help, main  # noqa: PLC0415 - the one or the other

        if not asks_for_help(words[1:]):
            main(words[1:])
    from resume.cli import main as commands  # noqa: PLC0415

    commands(prog_name="resume")


if __name__ == "__main__":
    main()
