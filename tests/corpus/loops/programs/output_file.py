# expect: equal
"""A list of results is written to a file behind the loop: once, whole, whatever was killed."""

import json
from pathlib import Path

from ticks import tick

from resume import Checkpoint


def work():
    with Checkpoint("table", rate=0, fsync=False) as chp:
        rows = []
        for i in chp.loop(range(5)):
            tick()
            rows.append(f"{i},{i**3}\n")
    Path("rows.csv").write_text("".join(rows))
    tick()
    return Path("rows.csv").read_text()


print(json.dumps(work()))
