"""A thread that asks a cloud once a second whether it is about to take the machine away."""

from __future__ import annotations

import _thread
import contextlib
import functools
import logging
import math
import os
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from resume import notices
from resume.triggers.asked import Asked, Leave
from resume.triggers.metadata import (
    CLOUDS,
    Answer,
    Cloud,
    NoService,
    Notice,
    Service,
    service_meant,
)

if TYPE_CHECKING:
    from http.client import HTTPConnection

_EVERY_S = 1.0
_CONNECT_S = 1.0
"""Whoever is on no cloud may get no answer at all."""
_ANSWER_S = 10.0
_TOKEN_S = 2.0
"""A container may wait in vain for the answer to a PUT."""
_PARTING_S = 3.0
"""The end of a run waits so long for the thread: a connection that is being made cannot be cut."""

_live: list[CloudWatch] = []


@functools.cache
def http_client() -> Any:
    """`http.client`, imported once: later a file of the program may answer to the name."""
    return import_module("http.client")


class Watcher:
    """Asks one service, one poll after the other."""

    def __init__(self, cloud: Cloud, service: Service) -> None:
        self._cloud, self._service = cloud, service
        self._connection: HTTPConnection | None = None
        self._is_cut = self._has_answered = False
        self.is_known = False
        """It has answered as it should: what comes later is a passing fault."""

    def poll(self) -> Notice | None:
        """Return what is announced now.

        Raises:
            NoService: It was never there, so there is nothing to ask; the text says why.
        """
        try:
            notice = self._cloud.poll(self._ask)
        except NoService as why:
            if self.is_known:
                return None
            raise NoService(f"{self._service.url}: {why}") from None
        except ImportError as why:  # a file of the program bears the name of a library
            raise NoService(f"it cannot be asked ({why})") from None
        except (OSError, ValueError) as why:  # no answer, or a token that is no token
            if self._has_answered:  # slowly, for the first time, on Azure
                return None
            told = getattr(why, "strerror", None) or str(why) or type(why).__name__
            raise NoService(f"{self._service.url}: {told}") from None
        self.is_known = True
        return notice

    def _ask(self, method: str, path: str, headers: Mapping[str, str]) -> Answer:
        client = http_client()  # it knows no proxy of the environment
        connection = client.HTTPConnection(
            self._service.host, self._service.port, timeout=_CONNECT_S
        )
        self._connection = connection
        try:
            connection.connect()
            connection.sock.settimeout(_TOKEN_S if method == "PUT" else _ANSWER_S)
            if self._is_cut:
                raise ConnectionAbortedError
            connection.request(
                method, self._service.folder + path, headers={**headers, "Connection": "close"}
            )
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            self._has_answered = True
            return Answer(answer.status, answer.read(), found)
        except client.HTTPException as why:
            raise ConnectionError(f"it speaks no HTTP ({type(why).__name__})") from None
        finally:
            self._connection = None
            connection.close()

    def begin(self) -> None:
        """Questions may be asked again."""
        self._is_cut = False

    def cut(self) -> None:
        """End the question that is being asked; from any thread."""
        self._is_cut = True
        with contextlib.suppress(OSError, AttributeError):  # it ends by itself this very moment
            self._connection.sock.shutdown(2)  # type: ignore[union-attr]

    def drop(self) -> None:
        """In a forked child: the socket is the parent's."""
        with contextlib.suppress(OSError, AttributeError):
            # `close` would leave it open for the answer that is being read
            os.close(self._connection.sock.detach())  # type: ignore[union-attr]


class CloudWatch:
    """Tells a run what its cloud announces, until it ends.

    Args:
        name: `aws`, `gcp` or `azure`.
        ask: Takes the save that is asked for; called in a thread of its own.
        leave: How the program is left.
        service: Where to ask; that of the environment by default.
    """

    def __init__(
        self,
        name: str,
        ask: Callable[[Asked], None],
        leave: Leave | None = None,
        *,
        service: Service | None = None,
    ) -> None:
        self._name, self._ask_for_save = name, ask
        self._leave = leave or Leave()
        self._watcher = Watcher(CLOUDS[name](), service or service_meant())
        self._wake = _thread.allocate_lock()
        self._gone = _thread.allocate_lock()
        self._wake.acquire()
        self._runs = self._is_closed = self._is_leaving = self._is_done = False
        self._thread = 0

    # -- as a source

    def look(self, now: float) -> Asked | None:
        """Ask for nothing here; start the thread where it is to run and does not."""
        del now
        if not (self._runs or self._is_closed or self._is_done):
            self._start()
        return None

    def next_look_at(self, now: float) -> float:
        """Once a second: after a fork the thread is started again."""
        return now + _EVERY_S if not (self._is_closed or self._is_done) else math.inf

    def close(self) -> None:
        """End the thread and its socket."""
        self._is_closed = True
        with contextlib.suppress(ValueError):
            _live.remove(self)
        self._end_thread(_PARTING_S)

    # -- the thread

    def _start(self) -> None:
        self._gone.acquire()
        self._is_leaving = False
        self._watcher.begin()
        self._runs = True
        if self not in _live:
            _live.append(self)
        try:
            _thread.start_new_thread(self._run, ())
        except RuntimeError:  # the system has no thread, or the program ends
            self._runs = False
            self._gone.release()

    def _end_thread(self, patience_s: float) -> None:
        self._is_leaving = True
        if not self._runs:
            return
        self._watcher.cut()
        if _thread.get_ident() == self._thread:
            return  # the collector may call from there
        with contextlib.suppress(RuntimeError):  # it is awake already
            self._wake.release()
        if self._gone.acquire(timeout=patience_s):
            self._gone.release()

    def _run(self) -> None:  # pragma: no cover - a bare thread is not measured
        self._thread = _thread.get_ident()
        try:
            while not self._is_leaving and self.step():
                self._wake.acquire(timeout=_EVERY_S)
        finally:
            self._wake.acquire(blocking=False)  # what ended this thread is not for the next one
            self._runs, self._thread = False, 0
            self._gone.release()

    def step(self) -> bool:
        """Ask once; whether to ask again."""
        try:
            notice = self._watcher.poll()
        except NoService as why:
            if not self._is_leaving:
                self._is_done = True
                self._say_not_there(why)
            return False
        if notice is None:
            return True
        self._ask_for_save(self._asked(notice))
        then = "save and leave" if notice.leaves else "save"
        notices.say_anywhere(
            "⚠ %s: %s: will %s at the next safe point",
            self._name, notice.what, then, level=logging.WARNING,
        )  # fmt: skip
        self._is_done = notice.leaves
        return not notice.leaves

    def _say_not_there(self, why: NoService) -> None:
        notices.say_anywhere(
            'watch="%s": the metadata service does not answer (%s), so nothing is watched',
            self._name, why,
        )  # fmt: skip

    def _asked(self, notice: Notice) -> Asked:
        return Asked(
            trigger="preempt",
            why=f"{self._name}: {notice.what}",
            leaves=self._leave if notice.leaves else None,
            extra={"preempt": dict(notice.extra)},
        )

    # -- forks

    def pause_for_fork(self) -> None:
        """End the thread: `fork` warns of threads. The next look starts it again."""
        self._end_thread(0.5)

    def end_in_child(self) -> None:
        """The child of a fork watches nothing."""
        self._watcher.drop()
        self._is_closed, self._runs = True, False


def _before_fork() -> None:
    for watch in _live.copy():
        watch.pause_for_fork()


def _in_child() -> None:
    for watch in _live.copy():
        watch.end_in_child()
    _live.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_child=_in_child)
