"""There and back, as every test here needs it."""

from __future__ import annotations

import pytest
from there_and_back import fresh

from resume.pickling import decode, encode


@pytest.fixture
def again():
    """Encode the given roots, decode them, and return the values; nothing may be left out."""

    def run(options=None, /, **roots):
        encoded = encode(roots, **(options or {}))
        assert () == encoded.skipped
        return decode(encoded.stream, fresh(encoded)).values

    return run
