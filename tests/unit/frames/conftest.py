"""For tests of what holds while nobody else traces (coverage does)."""

from __future__ import annotations

import sys

import pytest


@pytest.fixture
def untraced():
    """A measuring run (coverage) traces these functions: what is claimed is for untraced ones."""
    tracer = sys.gettrace()
    sys.settrace(None)
    yield
    sys.settrace(tracer)
