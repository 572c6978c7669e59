"""The measurement of a sweep tells what happened."""

from __future__ import annotations

import sweeps


def test_a_small_measurement_has_all_figures(tmp_path):
    """Every figure is taken, and every bound is shown beside its figure."""
    found = sweeps.measure(200, 10, tmp_path)

    text = "\n".join(sweeps.rows(found))
    assert 5 <= text.count("\n") + 1
    assert "at most 1.5" in text
    assert "at least 300,000" in text
    assert all(number > 0 for part in found.values() for number in part.values())
    assert list(tmp_path.iterdir()) == []


def test_results_take_no_memory(tmp_path):
    """A sweep whose results are two hundred times larger takes what the other takes."""
    kept = sweeps.memory(tmp_path, 500)

    assert kept["large_bytes_an_item"] <= 1.1 * kept["small_bytes_an_item"]
