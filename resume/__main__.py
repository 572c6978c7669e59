"""`python -m resume` is the command `resume`."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Do what the command line says; `run` without what the other commands need."""
    if sys.argv[1:2] == ["run"] and sys.argv[2:3] not in ([], ["-h"], ["--help"]):
        _run(sys.argv[2:])
    from resume.cli import main as commands  # noqa: PLC0415 - the one or the other

    commands(prog_name="resume")


def _run(words: list[str]) -> None:
    if not sys.flags.safe_path:
        # What lies here is the program's, and must not be taken for a library of ours.
        sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
    from resume.script.seed import pin_hash_seed  # noqa: PLC0415

    pin_hash_seed()  # before anything is imported: it starts us once more
    from resume.script.command import main as run  # noqa: PLC0415

    run(words)


if __name__ == "__main__":
    main()
