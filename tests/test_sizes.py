"""Files stay small enough to be read in one sitting."""

from __future__ import annotations

from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
FILES = sorted(
    path.relative_to(CHECKOUT)
    for folder in ("resume", "tests", "examples")
    for path in (CHECKOUT / folder).rglob("*.py")
)
REFUSED_LINES = 600


def text_of(path: Path) -> str:
    return (CHECKOUT / path).read_text(encoding="utf-8")


def test_no_file_is_over_600_lines():
    """A file over 600 lines holds more than one idea: split it by what changes together."""
    lines = {path: len(text_of(path).splitlines()) for path in FILES}

    assert {} == {str(path): many for path, many in lines.items() if many > REFUSED_LINES}


def test_the_sizes_rule_sees_the_package():
    """The rule above is about real files: an empty list would pass anything."""
    assert Path("resume/errors.py") in FILES
