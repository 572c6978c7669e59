# Run: python examples/module_script.py [600]. Kill: pkill -9 -f module_script. Run it again.
"""A script without functions: `Checkpoint()` at module level saves the script's own names."""

import random
import sys

from resume import Checkpoint

walkers = int(sys.argv[1]) if sys.argv[1:] else 600
random.seed(2)
returns = 0
farthest = 0.0

chp = Checkpoint()
chp.restore()
for walker in chp.loop(range(walkers)):
    place = 0j
    for _ in range(20_000):
        place += random.choice((1, -1, 1j, -1j))
        returns += place == 0
    farthest = max(farthest, abs(place))

print(f"{walkers} random walks came home {returns} times, the farthest ended at {farthest!r}")
