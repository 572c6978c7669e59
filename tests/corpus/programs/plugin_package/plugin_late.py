"""Imported in the middle of a run."""

import events


def late(n):
    total = 0
    for i in range(n % 4):
        total += i
    events.counts["late"] += 1
    return total
