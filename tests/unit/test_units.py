"""Durations and sizes, as people write them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from resume.errors import ConfigError
from resume.units import parse_bytes, parse_seconds, show_bytes, show_seconds


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        (30, 30.0),
        (0, 0.0),
        (0.5, 0.5),
        ("30", 30.0),
        ("30s", 30.0),
        ("500ms", 0.5),
        ("5m", 300.0),
        ("5 min", 300.0),
        ("1h30m", 5400.0),
        (" 2D ", 172800.0),
        ("1w", 604800.0),
        ("1.5h", 5400.0),
        (timedelta(minutes=2), 120.0),
        (float("inf"), float("inf")),
    ],
)
def test_durations(given, seconds):
    assert parse_seconds(given) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "given", [-1, float("nan"), "soon", "", "5 parsec", "m5", "-5s", True, None, [1], timedelta(-1)]
)
def test_no_durations(given):
    """The parameter is named, and what was given."""
    with pytest.raises(ConfigError, match="^rate=") as caught:
        parse_seconds(given, "rate")

    assert repr(given) in str(caught.value)
    assert "is no duration" in str(caught.value)


@pytest.mark.parametrize(
    ("given", "size"),
    [(0, 0), (5, 5), ("5", 5), ("5 b", 5), ("256MiB", 256 << 20), ("1.5 GB", 1_500_000_000)],
)
def test_sizes(given, size):
    assert parse_bytes(given) == size


@pytest.mark.parametrize("given", [-1, True, "big", "", 1.5, "5 MiB or so"])
def test_no_sizes(given):
    with pytest.raises(ConfigError, match="memory=.* is no size"):
        parse_bytes(given, "memory")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (89.4, "89 s"),
        (90, "2 min"),
        (5399, "90 min"),
        (5400, "2 h"),
        (172800, "2 d"),
        (-5, "-5 s"),
    ],
)
def test_seconds_for_a_person(seconds, text):
    assert show_seconds(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (3_565_158, "3.4 MiB"), (5 << 40, "5.0 TiB")],
)
def test_bytes_for_a_person(size, text):
    assert show_bytes(size) == text
