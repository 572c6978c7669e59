"""What every test here needs."""

from __future__ import annotations

import sys

import pytest


@pytest.fixture(autouse=True)
def modules_as_before():
    """Modules that a test has made are gone behind it."""
    before = dict(sys.modules)
    yield
    for name in set(sys.modules) - set(before):
        if name.partition("_")[0] == "piece":
            del sys.modules[name]
