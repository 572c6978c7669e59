"""One warm interpreter for all programs of the corpus, and stores in memory."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from processes import Nursery

MEMORY = Path("/dev/shm")


@pytest.fixture(scope="session")
def nursery(tmp_path_factory):
    """Runs programs in forks of one interpreter that has numpy and the library in memory."""
    nursery = Nursery(tmp_path_factory.mktemp("nursery"))
    yield nursery
    nursery.close()


@pytest.fixture
def scratch():
    """A folder, in memory where there is such a place: thousands of saves wait for no disk."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        yield Path(folder)
