"""`python -m resume` is the command `resume`."""

from __future__ import annotations

from resume.cli import main

if __name__ == "__main__":
    main(prog_name="resume")
