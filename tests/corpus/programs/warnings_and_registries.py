"""Warnings told once for each place, filters, an error from a warning, and what goes to stderr."""

import sys
import warnings

SCALE = 3500


def old(n):
    warnings.warn(f"old since {n % 3}", DeprecationWarning, stacklevel=2)
    total = 0
    for i in range(n):
        total += i
    return total


def called(n):
    if n % 2:
        return old(n)
    return old(
        n + 1,
    )


def recorded(n):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for i in range(n):
            called(i)
    return [(str(each.message), each.lineno) for each in caught]


def refused(n):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            for i in range(n):
                called(i)
        except DeprecationWarning as error:
            return str(error)
    return None


warnings.simplefilter("default")
for n in range(SCALE):
    print(called(n), recorded(n % 4), refused(n % 3))
    if n % 10 == 0:
        print("at", n, file=sys.stderr)
