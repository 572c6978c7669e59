"""Fixtures of the tests that stop a save, or hold it up."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from crash.held import Held, all_called
from crash.test_checkpoint_kills import use


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    """The disk of all checkpoints that a test makes; never held once the test is over."""
    made = Held()
    use(made, monkeypatch)
    yield made
    made.let_go()
    all_called()
