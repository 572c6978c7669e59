"""Ratios of times on a machine that others use too."""

from __future__ import annotations

import gc
import statistics
from time import perf_counter

TRIES = 3
"""How often a ratio is taken before its bound is held to be broken: on two cores that are shared a
neighbour can fall on one side for as long as one try takes, a slower library on all three."""


def seconds(act):
    """How long one call of *act* takes, with the collector's own work before it, not in it."""
    gc.collect()
    began = perf_counter()
    act()
    return perf_counter() - began


def ratio(act, against, repetitions):
    """Median of the ratios of neighbouring times, so that what slows both for a while cancels."""
    pairs = [(seconds(act), seconds(against)) for _ in range(repetitions)]
    return {
        "ratio": round(statistics.median(one / other for one, other in pairs), 3),
        "seconds": round(statistics.median(one for one, _ in pairs), 6),
        "against_seconds": round(statistics.median(other for _, other in pairs), 6),
        "repetitions": repetitions,
    }


def within(bound, measure):
    """The first of a few measurements within *bound*, or the least of them."""
    found = []
    for _ in range(TRIES):
        found.append(measure())
        if found[-1]["ratio"] <= bound:
            break
    best = min(found, key=lambda one: one["ratio"])
    return {**best, "bound": bound, "tries": len(found)}
