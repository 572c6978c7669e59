"""One warm interpreter for all programs of the corpus."""

from __future__ import annotations

import pytest
from processes import Nursery


@pytest.fixture(scope="session")
def nursery(tmp_path_factory):
    """Runs programs in forks of one interpreter that has numpy and the library in memory."""
    nursery = Nursery(tmp_path_factory.mktemp("nursery"))
    yield nursery
    nursery.close()
