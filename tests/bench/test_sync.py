"""What a `sync()` costs that is not due."""

from __future__ import annotations

from time import monotonic

import pytest
from bench.measuring import ratio, within

from resume import Checkpoint

pytestmark = pytest.mark.untraced

CALLS = 200_000
BOUND = 2.0


class Plain:
    """A method that does nothing, as a measure."""

    __slots__ = ()

    def sync(self):
        pass


def call_syncs(chp, calls):
    for _ in range(calls):
        chp.sync()


def call_empty_and_clock(plain, calls):
    for _ in range(calls):
        plain.sync()
        monotonic()


def test_a_sync_that_is_not_due(report):
    """At most twice the call of an empty method and one reading of the clock."""

    def work():
        chp = Checkpoint("work", folder="store", rate="1h", exclude=["measured"])
        n = 0
        chp.restore()
        n = 1
        assert chp.save()
        plain = Plain()
        measured = within(
            BOUND,
            lambda: ratio(
                lambda: call_syncs(chp, CALLS), lambda: call_empty_and_clock(plain, CALLS), 7
            ),
        )
        return measured, n

    measured, _ = work()

    report("sync not due / empty method + monotonic()", **measured)
    assert measured["ratio"] <= BOUND


def test_a_loop_whose_items_are_not_due(report):
    """No bound is promised for an item of `chp.loop`; the number is kept to be looked at."""

    def work():
        with Checkpoint("work", folder="store", rate="1h", at_finish=False) as chp:
            began = monotonic()
            for _ in chp.loop(range(CALLS)):
                pass
            looped = monotonic() - began
            plain = Plain()
            began = monotonic()
            for _ in range(CALLS):
                plain.sync()
                monotonic()
            return looped / (monotonic() - began)

    report("item of loop not due / empty method + monotonic()", ratio=round(work(), 3))
