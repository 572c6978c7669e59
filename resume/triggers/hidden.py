"""Handlers of ours that a program does not see when it asks what is there.

For `resume run`: a program that looks (`asyncio` does) is to find what it finds without us, and
what it holds is part of its state. What it puts back is what it has found; then ours takes its
place.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found] # `signal` makes an enum of each number
import os

from resume.interpreter import unseen
from resume.triggers import signals

_get, _set = _signal.getsignal, _signal.signal
_on_signal, _earlier_of = signals.on_signal, signals.earlier_of
_before, _needed = signals.before, signals.needed


def hide() -> None:
    """From now on `signal.getsignal` and `signal.signal` tell of no handler of ours."""
    _signal.getsignal, _signal.signal = _shown, _changed


def show() -> None:
    """They are as they were."""
    _signal.getsignal, _signal.signal = _get, _set


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=show)


@unseen
def _shown(number):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 # pragma: no cover
    there = _get(number)
    return _earlier_of(number) if there is _on_signal else there


@unseen
def _changed(number, handler):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 # pragma: no cover
    there = _set(number, handler)
    was = _earlier_of(number) if there is _on_signal else there
    if number in _before and handler is _before[number] and number in _needed():
        _set(number, _on_signal)
    return was
