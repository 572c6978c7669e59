"""A context variable of the program has, behind a restore, the value that it had."""

from __future__ import annotations

import pytest
from stacks import go_on, run_to_stop
from test_roots import plain

SOURCE = """
import contextvars
from pieces import sync
result = []
count = contextvars.ContextVar("count", default=10)
bare, held = contextvars.ContextVar("bare"), [count]
for turn in range(3):
    sync()
    result.append([count.get(), bare.get("nothing"), held[0] is count, count.name, bare.name])
    count.set(count.get() + 1)
    bare.set(turn)
result.append(contextvars.Context().run(count.get))
result.append(contextvars.Context().run(bare.get, "no default"))
"""


@pytest.mark.parametrize("at", [1, 2, 3])
def test_it_has_its_value_and_its_default(at):
    """Before it was set, and behind that."""
    import contextvars

    expected = contextvars.copy_context().run(plain, SOURCE)
    saved = contextvars.copy_context().run(run_to_stop, SOURCE, at=at)

    assert expected == contextvars.copy_context().run(go_on, saved)["result"]
