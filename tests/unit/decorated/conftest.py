"""What every test here needs."""

from __future__ import annotations

import logging

import pytest
from cutting import stopping


@pytest.fixture(autouse=True)
def _one_stop(caplog):
    stopping.is_over = False
    caplog.set_level(logging.INFO, logger="resume")
