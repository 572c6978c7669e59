"""`python -m resume` is the command `resume`."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Do what the command line says; `run` without what the other commands need."""
    words = sys.argv[1:]
    if words[:1] == ["run"]:
        if not sys.flags.safe_path:
            # What lies here is the program's, and must not be taken for a library of ours.
            sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
        from resume.script.command import asks_for_help, main  # noqa: PLC0415 - the one or the other

        if not asks_for_help(words[1:]):
            main(words[1:])
    from resume.cli import main as commands  # noqa: PLC0415

    commands(prog_name="resume")


if __name__ == "__main__":
    main()
