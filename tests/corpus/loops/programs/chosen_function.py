# expect: equal
"""A function chosen at run time is state; so is a lambda, a partial, a bound method."""

import functools
import json

from ticks import tick

from resume import Checkpoint


def double(x):
    return 2 * x


def triple(x):
    return 3 * x


def work():
    chp = Checkpoint(rate=0, fsync=False)
    policy = double
    seen = []
    add = seen.append
    power = lambda x: x**2
    shifted = functools.partial(pow, 2)
    chp.restore()
    for i in chp.loop(range(6)):
        tick()
        add(policy(i) + power(i) + shifted(i))
        if i == 2:
            policy = triple
            power = lambda x, i=i: x**3 + i
    return seen, policy.__name__


print(json.dumps(work()))
