"""For all tests of frames: nobody else traces."""

from __future__ import annotations

import sys

import pytest


@pytest.fixture(autouse=True)
def untraced():
    """A measuring run (coverage) traces these functions: what is claimed is for untraced ones."""
    tracer = sys.gettrace()
    sys.settrace(None)
    yield
    sys.settrace(tracer)
