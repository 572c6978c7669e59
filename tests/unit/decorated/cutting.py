"""An exception cuts a call of a decorated function short; the next equal call goes on."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest


class Cut(Exception):  # noqa: N818 - no error, but the end of a call
    """Cuts a call short."""


class Stopping:
    """Cuts the first call that comes to it."""

    def __init__(self):
        self.is_over = False
        """Nothing is cut any more."""

    def here(self):
        """Cut it, the first time."""
        if not self.is_over:
            self.is_over = True
            raise Cut


stopping = Stopping()


def kept():
    """Names of the checkpoints that are there, once for each generation."""
    return sorted(path.parent.name for path in Path(".checkpoints").glob("*/*.manifest.json"))


def goes_on(call):
    """Call it twice: the first call is cut short behind its save, the second goes on there."""
    with pytest.raises(Cut):
        call()
    assert kept()
    told = []
    listener = logging.Handler()
    listener.emit = lambda record: told.append(record.getMessage())
    logger = logging.getLogger("resume")
    level = logger.level
    logger.addHandler(listener)
    logger.setLevel(logging.INFO)
    try:
        return call()
    finally:
        logger.setLevel(level)
        logger.removeHandler(listener)
        assert any("↻ resuming" in line for line in told), told
