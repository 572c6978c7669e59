# expect: equal
"""The first example of the README: `sync()` last in the body of a plain `while`."""

import json
import sys

from ticks import tick

from resume import Checkpoint


def compute_primes(n=10):
    """Compute n next primes."""
    chp = Checkpoint(rate=0, fsync=False)
    i = 2
    primes = [i]
    candidate = primes[-1]
    chp.restore()
    while n > 0:
        candidate += 1
        tick()
        for p in primes:
            if not candidate % p:
                break
        else:
            primes.append(candidate)
            n -= 1
            chp.sync()
    return primes


print(json.dumps(compute_primes(int(sys.argv[1]) if sys.argv[1:] else 10)))
