"""The measurement of a start tells what happened."""

from __future__ import annotations

import ast

import starting
from starting import Start, Starts, rows, script


def test_the_script_is_500_lines_of_definitions():
    """Whole ones; it does nothing by itself."""
    text = script()

    assert 480 <= len(text.splitlines()) <= 500
    kinds = {type(node).__name__ for node in ast.parse(text).body}
    assert {"FunctionDef", "ClassDef"} <= kinds
    assert kinds <= {"FunctionDef", "ClassDef", "Assign", "Expr"}


def test_a_round_starts_in_all_ways(tmp_path):
    """The first start keeps what the second finds."""
    starts = Starts(tmp_path, pinned=True)

    took = starts.round()

    assert list(starting.WAYS) == list(took)
    assert min(took.values()) > 0
    assert 1 == len(list((tmp_path / "cache" / "resume" / "code").iterdir()))


def test_what_a_table_tells():
    """Medians, with the least and the most."""
    found = {"plain": Start([10, 30, 20], [0, 0, 0]), "first start": Start([99], [77])}

    assert [
        "| random | plain | 20 (10 to 30) | 0 (0 to 0) |",
        "| random | first start | 99 (99 to 99) | 77 (77 to 77) |",
    ] == rows("random", found)
