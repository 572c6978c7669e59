"""The parameters of a checkpoint, and how two configs are compared."""

from __future__ import annotations

import argparse
import inspect
import signal
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from resume import Checkpoint
from resume.errors import ConfigError
from resume.settings import DEFAULTS, check_settings, config_differences


def test_a_checkpoint_shows_the_defaults_in_its_signature():
    """They are told twice, for whoever reads the signature, and must not differ."""
    shown = {
        name: parameter.default
        for name, parameter in inspect.signature(Checkpoint.__init__).parameters.items()
    }
    shown["expire"] = Checkpoint.CACHE_EXPIRE

    assert {name: shown[name] for name in DEFAULTS} == DEFAULTS


def test_one_name_or_pattern_may_be_plain_text():
    """exclude="data" means the name, not its letters."""
    assert check_settings(exclude="data").exclude == ("data",)
    assert check_settings(include=["a", "b"]).include == ("a", "b")


def test_expiry_in_seconds_or_never():
    assert check_settings().expire_s == 30 * 86400
    assert check_settings(expire=None).expire_s is None


@pytest.mark.parametrize(
    ("memory", "size"), [("256MiB", 256 << 20), (4 << 20, 4 << 20), ("1 GB", 10**9)]
)
def test_memory_in_bytes(memory, size):
    assert check_settings(memory=memory).memory_bytes == size


@pytest.mark.parametrize("memory", [0, "1MiB", (4 << 20) - 1])
def test_too_little_memory(memory):
    """Less than one piece of 4 MiB could not take a copy of anything."""
    with pytest.raises(ConfigError, match=f"memory={memory!r} is too little: .* at least 4.0 MiB"):
        check_settings(memory=memory)


@pytest.mark.parametrize("background", [None, 1, "yes"])
def test_background_is_on_or_off(background):
    with pytest.raises(ConfigError, match=f"background={background!r}: give True or False"):
        check_settings(background=background)


def test_the_environment_sets_the_rate_and_the_keyword_beats_it(monkeypatch):
    monkeypatch.setenv("RESUME_RATE", "5m")

    assert check_settings().rate == "5m"
    assert check_settings(rate=1).rate == 1


@dataclass
class Optimizer:
    lr: float
    path: Path


@pytest.mark.parametrize(
    ("config", "plain"),
    [
        ({"a": (1, 2)}, {"a": [1, 2]}),
        ({"a": {3, 1}}, {"a": [1, 3]}),
        (Optimizer(0.1, Path("x")), {"lr": 0.1, "path": "x"}),
        (argparse.Namespace(lr=1), {"lr": 1}),
        (SimpleNamespace(lr=1, more=SimpleNamespace(x=None)), {"lr": 1, "more": {"x": None}}),
        ({1: "a"}, {"1": "a"}),
        ({"r": range(2)}, {"r": [0, 1]}),
    ],
)
def test_configs_of_many_kinds_become_json(config, plain):
    """What people keep their configs in compares like with like in the next run."""
    assert check_settings(config=config).config == plain


def test_extra_may_be_a_callable():
    """It is asked at each save, not at the start."""
    ask = lambda: {"epoch": 3}

    assert check_settings(extra=ask).extra is ask


def test_what_is_no_json_is_refused():
    with pytest.raises(ConfigError, match="config= goes into the manifest as JSON: a object"):
        check_settings(config={"model": object()})


@pytest.mark.parametrize(
    ("saved", "now", "paths"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, [("a", "1", "2")]),
        ({"a": {"b": 1, "c": 1}}, {"a": {"b": 2, "c": 1}}, [("a.b", "1", "2")]),
        ({"a": 1}, {}, [("a", "1", "(absent)")]),
        ({}, {"a": {"b": 1}}, [("a", "(absent)", "{'b': 1}")]),
        (None, {"a": 1}, [("config", "None", "{'a': 1}")]),
        ({"a": [1, 2]}, {"a": [1, 3]}, [("a", "[1, 2]", "[1, 3]")]),
    ],
)
def test_differences_by_path(saved, now, paths):
    assert config_differences(saved, now) == paths


def test_the_environment_says_how_a_program_is_left_where_the_keyword_does_not(monkeypatch):
    """Signals and status are the scheduler's business; the program may know better."""
    monkeypatch.setenv("RESUME_SIGNALS", "TERM, USR1")
    monkeypatch.setenv("RESUME_EXIT_CODE", "85")
    found = check_settings()
    assert found.signals == (signal.SIGTERM, signal.SIGUSR1)
    assert found.exit_code == 85

    found = check_settings(signals=(), exit_code=0)
    assert (found.signals, found.exit_code) == ((), 0)

    monkeypatch.setenv("RESUME_SIGNALS", "none")
    assert check_settings().signals == ()
    monkeypatch.setenv("RESUME_EXIT_CODE", "x")
    with pytest.raises(ConfigError, match="exit_code='x'"):
        check_settings()
