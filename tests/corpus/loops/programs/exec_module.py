# expect: equal
"""Code in `exec` with a namespace of its own."""

import json
import sys

from ticks import tick

SOURCE = """
from resume import Checkpoint
chp = Checkpoint("executed", rate=0, fsync=False)
total = []
chp.restore()
for i in chp.loop(range(5)):
    tick()
    total.append(i * i)
"""
namespace = {"tick": tick, "__name__": "executed", "__file__": sys.argv[0]}
exec(SOURCE, namespace)
print(json.dumps(namespace["total"]))
