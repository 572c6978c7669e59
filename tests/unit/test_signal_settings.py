"""`signals=` and `exit_code=`: what they accept, and what they say of the rest."""

from __future__ import annotations

import signal

import pytest

from resume import ConfigError
from resume.settings import check_settings


@pytest.mark.parametrize(
    ("given", "numbers"),
    [
        ("auto", None),
        (None, ()),
        ((), ()),
        ("SIGTERM", (signal.SIGTERM,)),
        ("usr1", (signal.SIGUSR1,)),
        (signal.SIGINT, (signal.SIGINT,)),
        ([2, "TERM", signal.SIGUSR2], (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2)),
    ],
)
def test_names_numbers_and_signals(given, numbers):
    assert check_settings(signals=given).signals == numbers


@pytest.mark.parametrize("given", ["SIGFOO", ["SIGINT", "x"], 0, 999, "", [3.5], True, 1.5, [None]])
def test_what_is_no_signal_is_named(given):
    with pytest.raises(ConfigError, match="signals="):
        check_settings(signals=given)


@pytest.mark.parametrize("given", ["SIGKILL", ["STOP"], signal.SIGSEGV])
def test_some_cannot_be_answered(given):
    with pytest.raises(ConfigError, match="cannot be answered"):
        check_settings(signals=given)


@pytest.mark.parametrize("given", [-1, 256, "1", 1.0, True])
def test_an_exit_code_is_a_status(given):
    with pytest.raises(ConfigError, match="exit_code="):
        check_settings(exit_code=given)


def test_exit_codes():
    assert check_settings().exit_code is None
    assert check_settings(exit_code=0).exit_code == 0
    assert check_settings(exit_code=85).exit_code == 85
