"""What a run tells `resume prove` of itself: a line of JSON for each event, appended to a file.

RESUME_PROOF names a folder of the prover's, with the file `told` in it. Without it nothing is told.

    {"pid": 77, "event": "begin", "at": 8123.4, "generation": null, "postponed": {}}
    {"pid": 77, "event": "save", "at": 8123.9, "generation": 1, "postponed": {"…": 3}}
    {"pid": 77, "event": "end", "at": 8125.0, "generation": 2, "postponed": {"…": 3}}

`begin` is told when the program's own code is about to run or to go on, `save` behind each save:
so a run that is killed has told most of what it knows. `generation` is the newest that is durable
(at `begin`: the one that is gone on from), `at` the seconds of `time.monotonic()`, which all
processes of a machine share, and `postponed` counts from the beginning of the run.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping

TOLD = "told"


class Teller:
    """Tells of this process; its forks tell nothing."""

    def __init__(self, folder: str) -> None:
        self._path = os.path.join(folder, TOLD)  # noqa: PTH118 - as all that starts a script
        self._process = os.getpid()

    def tell(self, event: str, generation: int | None, postponed: Mapping[str, int]) -> None:
        """Append one line, in one piece."""
        if os.getpid() != self._process:
            return
        line = {
            "pid": self._process,
            "event": event,
            "at": time.monotonic(),
            "generation": generation,
            "postponed": dict(postponed),
        }
        with open(self._path, "ab", buffering=0) as told:  # noqa: PTH123
            told.write(json.dumps(line).encode() + b"\n")
