"""A file by which anybody may ask a program for a save: `touch CHKPT`.

It is looked for in the checkpoint's own folder, and in the working folder of the program, where it
is meant for the one checkpoint that is live there. A file that lay there before the program began
counts: it asks for a save at the first safe point, or it would lie there for ever. When the
generation is durable the file is deleted, unless it was touched since its save began: then it asks
for one more. Where the save failed it stays, says why, and is heard again when it is touched, or
after a minute.

What else bears the name is left alone: a folder, and in the working folder a file that is not empty
(other programs write a CHKPT of their own).
"""

from __future__ import annotations

import contextlib
import os
import stat
import weakref
from collections.abc import Callable, Sequence
from functools import partial
from time import monotonic

from resume.place import REQUEST_NAME
from resume.triggers.asked import Asked

FAILED = "resume could not save: "
"""A file in the checkpoint's own folder that begins so tells why its save failed."""

_EVERY_S = 1.0
_RETRY_S = 60.0
_Mark = tuple[int, int, int]
"""What tells whether a file was touched: device, inode, time of its last change."""

_live: list[weakref.ref[RequestFile]] = []
"""Those that look, as long as their runs live; each change is a single step, so no lock."""


class RequestFile:
    """Looks for the file; a `Source`.

    Args:
        title: The checkpoint, as people know it.
        place: Returns the checkpoint's own folder, which need not exist; None: it is not known yet.
        working: The working folder of the program; empty: it has none.
        others: Returns the names of checkpoints of the same folder that other programs hold; called
            when there is a file in *working*.
    """

    def __init__(
        self,
        title: str,
        place: Callable[[], str | None],
        working: str,
        others: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        self._title, self._place, self._working, self._others = title, place, working, others
        self._shared = os.path.join(working, REQUEST_NAME) if working else ""  # noqa: PTH118
        self._look_at = 0.0
        self._is_asking = self._is_closed = False
        self._put_off: dict[str, tuple[_Mark, float]] = {}
        """By path: as it was when it was refused, and when it is heard all the same."""
        self._said: set[tuple[str, _Mark, str]] = set()
        for get in _live.copy():
            if get() is None:
                _forget(get)
        self._known_as = weakref.ref(self)
        _live.append(self._known_as)

    # -- looking

    def look(self, now: float) -> Asked | None:
        """Return the save that a file asks for; two system calls, which find nothing most times."""
        self._look_at = now + _EVERY_S
        if self._is_asking or self._is_closed:
            return None
        own = self._own()
        for path in (own, self._shared):
            found = _status(path)
            if found is not None and self._is_request(path, found, now, is_shared=path != own):
                self._is_asking = True
                self._put_off.pop(path, None)
                answer = partial(self._answer, path, _mark(found), has_room=path == own)
                return Asked("request", path, answer=answer)
        return None

    def next_look_at(self, now: float) -> float:
        """Once a second."""
        del now
        return self._look_at

    def close(self) -> None:
        """Look no more."""
        self._is_closed = True
        _forget(self._known_as)

    def _own(self) -> str:
        place = self._place()
        return os.path.join(place, REQUEST_NAME) if place else ""  # noqa: PTH118

    def _is_request(self, path: str, found: os.stat_result, now: float, *, is_shared: bool) -> bool:
        mark = _mark(found)
        refused, until = self._put_off.get(path, (None, 0.0))
        if refused == mark and now < until:
            return False
        why = _why_not(found, is_shared=is_shared) or (self._why_unclear() if is_shared else None)
        if why is not None:
            self._put_off[path] = (mark, now + _RETRY_S)
            self._say_once(path, mark, f"is not taken for a request: {why}")
        return why is None

    def _why_unclear(self) -> str | None:
        others = [*self._beside(), *self._others()]
        if not others:
            return None
        return (
            f"{', '.join(sorted({self._title, *others}))} are live here. "
            f"Put it into the folder of the one that is meant: {self._own() or 'see `resume ls`'}"
        )

    def _beside(self) -> list[str]:
        """The other checkpoints of this program that look into the same working folder."""
        live = [one for one in (get() for get in _live.copy()) if one is not None]
        return [one._title for one in live if one is not self and one._working == self._working]  # noqa: SLF001

    # -- what comes of it

    def _answer(
        self,
        path: str,
        mark: _Mark,
        number: int | None,
        why: BaseException | None,
        *,
        has_room: bool,
    ) -> None:
        """The save is durable, or failed."""
        if self._is_closed and number is None:
            self._say_once(path, mark, f"stays: {why}")
        elif number is None:
            self._put_off[path] = (mark, monotonic() + _RETRY_S)
            if has_room:
                self._leave_reason(path, mark, why)
            self._say_once(
                path, mark, "stays: its save failed. It is tried again in a minute, or when touched"
            )
        else:
            self._say(f"generation {number} is saved, as {path} asked", is_wrong=False)
            self._delete(path, mark)
        self._is_asking = False

    def _delete(self, path: str, mark: _Mark) -> None:
        found = _status(path)
        if found is None or _mark(found) != mark:
            return  # touched since: one more is asked for
        try:
            os.unlink(path)  # noqa: PTH108
        except FileNotFoundError:
            pass
        except OSError as why:
            self._put_off[path] = (mark, float("inf"))
            self._say_once(
                path, mark, f"cannot be deleted ({why.strerror}): it is heard again when touched"
            )

    def _leave_reason(self, path: str, mark: _Mark, why: BaseException | None) -> None:
        """Write into the file why there is no save, for who waits beside it."""
        text = f"{FAILED}{why or 'nobody knows why'}\n".encode()
        flags = os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        with contextlib.suppress(OSError):  # there is no room, or it is gone: the line is said
            descriptor = os.open(path, flags)
            try:
                found = os.fstat(descriptor)
                if _mark(found) != mark:
                    return  # touched since
                os.ftruncate(descriptor, 0)
                os.write(descriptor, text)
            finally:
                os.close(descriptor)
            os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))  # nobody has touched it

    def _say_once(self, path: str, mark: _Mark, what: str) -> None:
        if (path, mark, what) not in self._said:
            self._said.add((path, mark, what))
            self._say(f"{path} {what}", is_wrong=True)

    def _say(self, text: str, *, is_wrong: bool) -> None:
        # logging has hooks for forks: imported by a timer's thread amid a fork, it would hang
        from resume import notices  # noqa: PLC0415 - only where there is something to say

        sign, level = ("⚠ ", notices.WARNING) if is_wrong else ("", notices.INFO)
        notices.say_anywhere("%s%s: %s", sign, self._title, text, level=level)


def _forget(known_as: weakref.ref[RequestFile]) -> None:
    with contextlib.suppress(ValueError):  # another thread was faster
        _live.remove(known_as)


def _status(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except OSError:  # most times: there is none. Whatever else, nobody can ask by it
        return None


def _mark(found: os.stat_result) -> _Mark:
    return found.st_dev, found.st_ino, found.st_mtime_ns


def _why_not(found: os.stat_result, *, is_shared: bool) -> str | None:
    if stat.S_ISDIR(found.st_mode):
        return "it is a folder"
    if is_shared and not (stat.S_ISREG(found.st_mode) and found.st_size == 0):
        return "it is no empty file"
    return None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_live.clear)
