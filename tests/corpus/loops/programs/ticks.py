"""A clock of calls: RESUME_TEST_KILL=tick:K makes the K-th one the last thing the process does."""

from __future__ import annotations

import os
import signal

what, _, number = os.environ.get("RESUME_TEST_KILL", "").partition(":")
kill_at = int(number) if what == "tick" else 0
count = 0


def tick() -> None:
    """Count one; die by SIGKILL when it is the one that RESUME_TEST_KILL names."""
    global count  # noqa: PLW0603 - the clock of the process
    count += 1
    if count == kill_at:
        os.kill(os.getpid(), signal.SIGKILL)
