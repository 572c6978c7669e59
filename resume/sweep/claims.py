"""Who works on which item, so that several launches of one sweep divide the items among them.

A claim is a file that only one process can make; it names its maker, who touches it every ten
seconds. The claim of a dead process of this machine, and of one elsewhere that nobody has touched
for a minute, is taken over. Who has a claim looks at the log before the work, and gives it back
when the result is in: so nobody misses what the holder before has recorded.

What can still go wrong: a holder that slept longer than a minute wakes up and goes on. Then two
work on one item, and the log takes the first result only.
"""

from __future__ import annotations

import json
import os
import secrets
import threading
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from xxhash import xxh3_128_hexdigest

from resume.errors import StoreError
from resume.store import claim_files, files, lock
from resume.store.files import Disk
from resume.store.threads import started
from resume.sweep import locking


class Claims:
    """The claims of this process in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._disk = Disk()
        self._held: dict[str, str] = {}
        """Key -> token."""
        self._ends = threading.Event()
        self._thread: threading.Thread | None = None

    def take(self, key: str) -> bool:
        """Whether this process is the one to work on *key* now.

        Raises:
            OSError: The disk refused.
            StoreError: No thread can be started that keeps the claims alive.
        """
        if self._thread is None:
            self._start()
        path = self.path_of(key)
        token = secrets.token_hex(8)
        record = json.dumps({**claim_files.own_record(), "token": token, "key": key}).encode()
        if not self._made(path, record):
            locking.clear_claim(path, self._disk)
            if not self._made(path, record):
                return False
        self._held[key] = token
        return True

    def give_back(self, key: str) -> None:
        """Let others work on *key*, where that is still ours to say."""
        token = self._held.pop(key, None)
        path = self.path_of(key)
        if token is not None and claim_files.is_claim_of(path, token):
            with suppress(OSError):
                path.unlink()

    def holder(self, key: str) -> tuple[str, int] | None:
        """Host and process that *key* is claimed by, as its file says."""
        record = claim_files.read_record(self.path_of(key))
        return None if record is None else (record["host"], record["pid"])

    def close(self, *, keep: Collection[str] = ()) -> None:
        """Give everything back but *keep*, which nobody gets while this process lives."""
        self._ends.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        for key in self._held.keys() - set(keep):
            self.give_back(key)
        with suppress(OSError):  # others have claims in it, or there is none
            self._clear_dead()
            self.folder.rmdir()

    def _clear_dead(self) -> None:
        """Remove what killed launches have left: nobody asks for the claim of what is done."""
        for path in self.folder.iterdir():
            if not files.is_scratch(path.name):
                locking.clear_claim(path, self._disk)
            elif files.is_abandoned(path):
                files.discard(self._disk, path)

    def path_of(self, key: str) -> Path:
        """The file that claims *key*."""
        return self.folder / xxh3_128_hexdigest(key.encode("utf-8", "surrogatepass"))

    def _start(self) -> None:
        files.ensure_place(self._disk, self.folder, fsync=False)
        self._ends.clear()
        thread = threading.Thread(target=self._beat, name="resume-claims", daemon=True)
        if not started(thread):
            raise StoreError("no thread can be started that keeps the claims of the sweep alive")
        self._thread = thread

    def _made(self, path: Path, record: bytes) -> bool:
        while True:
            with suppress(FileNotFoundError):
                return claim_files.make_claim(path, record, self._disk)
            # another launch has ended, and has removed the empty folder
            files.ensure_place(self._disk, self.folder, fsync=False)

    def _beat(self) -> None:
        while not self._ends.wait(lock.HEARTBEAT_S):
            for key, token in list(self._held.items()):
                path = self.path_of(key)
                with suppress(OSError):  # one missed beat is no loss
                    if claim_files.is_claim_of(path, token):
                        os.utime(path)
