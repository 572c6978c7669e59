# Run: python examples/primes.py [20000]. Kill: pkill -9 -f primes. Run it again.
"""The next N primes: a plain `while` with `chp.sync()` last in its body."""

import sys

from resume import Checkpoint


def compute_primes(n):
    chp = Checkpoint()
    primes = [2]
    candidate = 2
    chp.restore()
    while n > 0:
        candidate += 1
        for p in primes:
            if not candidate % p:
                break
        else:
            primes.append(candidate)
            n -= 1
        chp.sync()
    return primes


primes = compute_primes(int(sys.argv[1]) if sys.argv[1:] else 20_000)
print(f"{len(primes)} primes, the last is {primes[-1]}, their sum {sum(primes)}")
