"""Proving that a cell is a frame's own is never seen by another thread that reads it."""

from __future__ import annotations

import sys
import threading

from resume.frames import is_cell_of


def test_another_thread_never_meets_the_marker():
    held = [1]
    met = []
    ended = threading.Event()

    def read():
        while not ended.is_set():
            if type(held) is not list:
                met.append(held)
                return

    frame, cell = sys._getframe(), read.__closure__[read.__code__.co_freevars.index("held")]
    thread = threading.Thread(target=read)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    thread.start()
    try:
        proofs = [is_cell_of(frame, "held", cell) for _ in range(20_000)]
    finally:
        sys.setswitchinterval(interval)
        ended.set()
        thread.join()

    assert all(proofs)
    assert met == []
