"""Files stay small enough to be read in one sitting."""

from __future__ import annotations

from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
FILES = sorted(
    path.relative_to(CHECKOUT)
    for folder in ("resume", "tests", "examples")
    for path in (CHECKOUT / folder).rglob("*.py")
)
REFUSED_LINES = 600


@pytest.mark.parametrize("path", FILES, ids=str)
def test_no_file_is_over_600_lines(path):
    """A file over 600 lines holds more than one idea: split it."""
    lines = len((CHECKOUT / path).read_text(encoding="utf-8").splitlines())

    assert lines <= REFUSED_LINES, f"{path} has {lines} lines: split it by what changes together"


def test_the_sizes_rule_sees_the_package():
    """The rule above is about real files: an empty list would pass anything."""
    assert Path("resume/errors.py") in FILES
