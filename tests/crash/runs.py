"""What tests of saves beside the program share."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from resume.store import Store

USUAL = {
    "folder": "store",
    "exclude": ["disk", "writing", "caplog", "caught", "seen", "notes"],
    "signals": (),
}
"""A Ctrl-C is an ordinary one: it may come amid a save."""
SOON = {"rate": 0.001, **USUAL}
"""Saves by time, at nearly every safe point."""


def store(name="work"):
    return Store(Path("store"), name)


def numbers(name="work"):
    return [entry.number for entry in store(name).entries()][::-1]


def busy_lines(caplog):
    return [line for line in caplog.messages if "still busy" in line]


def failure_lines(caplog):
    return [line for line in caplog.messages if "could not save" in line]


def noise():
    """20 MiB that no compression makes less."""
    return np.random.default_rng(0).random(5 << 19)


class Weights(np.ndarray):
    """An array that a weak reference can be made to."""


def numbers_on_disk(name="work"):
    """The generations as another process would find them now: nothing is waited for."""
    return sorted(int(one.name[:8]) for one in Path("store", name).glob("*.manifest.json"))
