"""The parameters of a checkpoint, and how two configs are compared."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from resume.errors import ConfigError
from resume.settings import check_settings, config_differences

PLAIN = {
    "clean": False,
    "rate": None,
    "iterations": None,
    "max_overhead": 0.01,
    "max_loss": "5m",
    "at_start": False,
    "at_finish": True,
    "include": (),
    "exclude": (),
    "args": "call",
    "config": None,
    "overridable": (),
    "extra": None,
    "keep": 3,
    "keep_every": None,
    "keep_best": None,
    "expire": "30d",
    "strict": False,
    "on_save_error": "warn",
    "on_change": "refuse",
    "background": True,
    "memory": "256MiB",
    "previews": True,
    "compress": "auto",
    "fsync": True,
    "trust": None,
}


def settings(**given):
    return check_settings(**{**PLAIN, **given})


def test_one_name_or_pattern_may_be_plain_text():
    """exclude="data" means the name, not its letters."""
    assert settings(exclude="data").exclude == ("data",)
    assert settings(include=["a", "b"]).include == ("a", "b")


def test_expiry_in_seconds_or_never():
    assert settings().expire_s == 30 * 86400
    assert settings(expire=None).expire_s is None


@pytest.mark.parametrize(
    ("memory", "size"), [("256MiB", 256 << 20), (4 << 20, 4 << 20), ("1 GB", 10**9)]
)
def test_memory_in_bytes(memory, size):
    assert settings(memory=memory).memory_bytes == size


@pytest.mark.parametrize("memory", [0, "1MiB", (4 << 20) - 1])
def test_too_little_memory(memory):
    """Less than one piece of 4 MiB could not take a copy of anything."""
    with pytest.raises(ConfigError, match=f"memory={memory!r} is too little: .* at least 4.0 MiB"):
        settings(memory=memory)


@pytest.mark.parametrize("background", [None, 1, "yes"])
def test_background_is_on_or_off(background):
    with pytest.raises(ConfigError, match=f"background={background!r}: give True or False"):
        settings(background=background)


def test_the_environment_sets_the_rate_and_the_keyword_beats_it(monkeypatch):
    monkeypatch.setenv("RESUME_RATE", "5m")

    assert settings().rate == "5m"
    assert settings(rate=1).rate == 1


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
    assert settings(config=config).config == plain


def test_extra_may_be_a_callable():
    """It is asked at each save, not at the start."""
    ask = lambda: {"epoch": 3}

    assert settings(extra=ask).extra is ask


def test_what_is_no_json_is_refused():
    with pytest.raises(ConfigError, match="config= goes into the manifest as JSON: a object"):
        settings(config={"model": object()})


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
