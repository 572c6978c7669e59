"""Random generator objects that programs hold themselves: reading and setting their state.

Apart from `rng.py`, which knows the generators that libraries keep for the whole process.
"""

from __future__ import annotations

import copy
import random
from typing import Any

import numpy as np


def is_generator(value: object) -> bool:
    """Whether *value* is a generator object of `random`, numpy or torch."""
    if isinstance(value, random.Random | np.random.Generator | np.random.RandomState):
        return True
    return _is_torch_generator(value)


def _is_torch_generator(value: object) -> bool:
    kind = type(value)
    return kind.__name__ == "Generator" and kind.__module__.partition(".")[0] == "torch"


def state_of(generator: Any) -> Any:
    """A copy of the generator's state, for `set_state`."""
    if isinstance(generator, random.Random):
        return generator.getstate()
    if isinstance(generator, np.random.Generator):
        return copy.deepcopy(generator.bit_generator.state)
    state = generator.get_state()
    return state.clone() if _is_torch_generator(generator) else copy.deepcopy(state)


def set_state(generator: Any, state: Any) -> None:
    """Put the generator back to where it was at `state_of`."""
    if isinstance(generator, random.Random):
        generator.setstate(state)
    elif isinstance(generator, np.random.Generator):
        generator.bit_generator.state = state
    else:
        generator.set_state(state)
