"""What a cloud announces inside a machine that it is about to take away.

Goal: the notice is heard within about a second, and nothing is left behind: no thread, no socket.

Each cloud answers plain HTTP at 169.254.169.254, from inside its machines only:
- AWS: `/latest/meta-data/spot/instance-action` is missing (404) until two minutes before a Spot
  instance is stopped or terminated, then it is JSON with `action` and `time`. Asked with a token
  that a PUT of `/latest/api/token` gives. `/latest/meta-data/events/recommendations/rebalance`
  tells earlier that the risk has risen: that asks for a save, and the program goes on.
  https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
  https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/rebalance-recommendations.html
- GCP: `/computeMetadata/v1/instance/preempted` turns from FALSE to TRUE 30 seconds ahead, and
  `.../maintenance-event` from NONE to TERMINATE_ON_HOST_MAINTENANCE a minute ahead, on machines
  with GPUs an hour. It does not say when, and a program that left would only be started again: so
  that asks for a save, and the SIGTERM of the shutdown does the leaving.
  MIGRATE_ON_HOST_MAINTENANCE harms nobody: the memory moves along.
  https://cloud.google.com/compute/docs/instances/create-use-spot
  https://cloud.google.com/compute/docs/metadata/getting-live-migration-notice
- Azure: `/metadata/scheduledevents` lists events of all machines of a set, with the machines that
  each concerns; `Preempt` comes 30 seconds ahead, `Terminate`, `Reboot` and `Redeploy` minutes, and
  up to a week where hardware wears out: the program stays until five minutes before. `Freeze`
  pauses a machine for seconds and keeps its memory. The very first answer may take two minutes:
  asking is what turns the service on.
  https://learn.microsoft.com/azure/virtual-machines/linux/scheduled-events

What does not work: `urllib` (it sends link-local addresses to the proxies of the environment); a
thread of `threading` (the program counts them); logging in a bare thread (a dummy thread stays in
the program's lists), so what there is to say is said by who looks.
"""

from __future__ import annotations

import functools
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol
from urllib.parse import urlsplit

from resume.errors import ConfigError
from resume.types import JSON

URL_VARIABLE = "RESUME_METADATA"
"""Environment: where the service is asked, in place of 169.254.169.254 (`http://127.0.0.1:8080`)."""
_URL = "http://169.254.169.254"

_TOKEN_TTL_S = 21600
"""The longest that AWS gives."""
_AHEAD_S = 300.0
"""Before an event that is announced longer ahead, the program is left."""
_PASSING = frozenset({408, 410, 425, 429})
"""Statuses that say: ask again. So do all from 500 on."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that a cloud announces."""

    what: str
    """For people: `terminate at 2030-01-01T08:22:00Z`."""
    leaves: bool
    """The machine goes away; off: a save is wise, and the program goes on."""
    extra: Mapping[str, JSON] = field(default_factory=dict)
    """For the manifest."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the service has answered."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    """By name in lower case."""

    @property
    def text(self) -> str:
        """The body, without the space around it."""
        return self.body.decode("utf-8", "replace").strip()


class Ask(Protocol):
    """Asks the service one question."""

    def __call__(self, method: str, path: str, headers: Mapping[str, str]) -> Answer:
        """Raise OSError where no answer comes."""


class Cloud(Protocol):
    """One cloud's way to announce."""

    def poll(self, ask: Ask) -> Notice | None:
        """Raise `NoService` where it is not this cloud that answers, OSError where nobody does."""


class NoService(Exception):  # noqa: N818 - told to nobody as an error
    """What answers is not the metadata service of this cloud, or refuses to be asked."""


class Aws:
    """Spot instances of AWS; by IMDSv2, and by IMDSv1 where its token cannot be had."""

    _ACTION = "/latest/meta-data/spot/instance-action"
    _REBALANCE = "/latest/meta-data/events/recommendations/rebalance"

    def __init__(self) -> None:
        self._headers: Mapping[str, str] = {}
        self._token_until = -1.0
        self._has_risen = False

    def poll(self, ask: Ask) -> Notice | None:
        """Look for an action, then for a risk that has risen."""
        if time.monotonic() >= self._token_until:
            self._renew(ask)
        answer = ask("GET", self._ACTION, self._headers)
        if answer.status == 200:
            return self._notice(_object(answer))
        self._check(answer)
        return None if self._has_risen else self._risk(ask)

    def _renew(self, ask: Ask) -> None:
        wanted = {"X-aws-ec2-metadata-token-ttl-seconds": str(_TOKEN_TTL_S)}
        try:
            answer = ask("PUT", "/latest/api/token", wanted)
        except TimeoutError:  # a container: the answer to a PUT does not cross its bridge
            answer = None
        is_given = answer is not None and answer.status == 200
        self._headers = {"X-aws-ec2-metadata-token": answer.text} if answer and is_given else {}
        self._token_until = time.monotonic() + _TOKEN_TTL_S / 2

    def _check(self, answer: Answer) -> None:
        if answer.status != 401:
            return  # 404: nothing is announced
        if not self._headers:
            raise NoService(
                "it wants a token, and gives none here (in a container, raise the machine's "
                "metadata hop limit to 2)"
            )
        self._token_until = -1.0  # it has expired, or another machine answers by now

    def _risk(self, ask: Ask) -> Notice | None:
        answer = ask("GET", self._REBALANCE, self._headers)
        if answer.status != 200:
            return None
        self._has_risen = True
        at = _object(answer).get("noticeTime")
        return Notice(
            "the risk of an interruption has risen",
            leaves=False,
            extra={"cloud": "aws", "action": "rebalance", "time": at},
        )

    def _notice(self, told: Mapping[str, JSON]) -> Notice:
        action, at = told.get("action", "interruption"), told.get("time")
        extra = {"cloud": "aws", "action": action, "time": at}
        return Notice(_at(action, at), leaves=True, extra=extra)


class Gcp:
    """Spot and preemptible machines of Google Cloud, and those that maintenance terminates."""

    _FOLDER = "/computeMetadata/v1/instance/"
    _HEADERS: Mapping[str, str] = {"Metadata-Flavor": "Google"}

    def __init__(self) -> None:
        self._event = ""

    def poll(self, ask: Ask) -> Notice | None:
        """Look for preemption, then for maintenance."""
        if self._value(ask, "preempted") == "TRUE":
            return Notice("preempted", leaves=True, extra={"cloud": "gcp", "action": "preempted"})
        event = self._value(ask, "maintenance-event")
        is_new, self._event = event != self._event, event
        if event == "TERMINATE_ON_HOST_MAINTENANCE" and is_new:
            return Notice(event, leaves=False, extra={"cloud": "gcp", "action": event})
        return None

    def _value(self, ask: Ask, key: str) -> str:
        answer = ask("GET", self._FOLDER + key, self._HEADERS)
        if answer.status in _PASSING or answer.status >= 500:
            return ""
        if answer.headers.get("metadata-flavor") != "Google":
            raise NoService("it is not Google's")
        return answer.text if answer.status == 200 else ""


class Azure:
    """Scheduled events of Azure."""

    _EVENTS = "/metadata/scheduledevents?api-version=2020-07-01"
    _NAME = "/metadata/instance/compute/name?api-version=2021-02-01&format=text"
    _HEADERS: Mapping[str, str] = {"Metadata": "true"}
    _LEAVING = frozenset({"Preempt", "Terminate", "Reboot", "Redeploy"})
    _BACK_SOON = frozenset({"Reboot", "Redeploy"})
    """This program may be one that was started again after such an event, which is still listed."""

    def __init__(self) -> None:
        self._name: str | None = None
        self._old: set[str] | None = None

    def poll(self, ask: Ask) -> Notice | None:
        """Look for an event of this machine that ends it."""
        if self._name is None:
            answer = ask("GET", self._NAME, self._HEADERS)
            self._name = answer.text.casefold() if answer.status == 200 else ""
        answer = ask("GET", self._EVENTS, self._HEADERS)
        if answer.status in _PASSING or answer.status >= 500:
            return None
        if answer.status != 200:
            raise NoService(f"it answers {answer.status}")
        found = _object(answer).get("Events")
        events = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
        if self._old is None:
            self._old = {str(one.get("EventId")) for one in events if self._is_behind_us(one)}
        near = [one for one in events if self._is_ours(one) and _is_near(one.get("NotBefore"))]
        return self._notice(near[0]) if near else None

    def _is_behind_us(self, event: Mapping[str, JSON]) -> bool:
        return event.get("EventStatus") == "Started" and event.get("EventType") in self._BACK_SOON

    def _is_ours(self, event: Mapping[str, JSON]) -> bool:
        is_old = self._old is not None and str(event.get("EventId")) in self._old
        if is_old or event.get("EventType") not in self._LEAVING:
            return False
        machines = event.get("Resources")
        if not self._name or not isinstance(machines, list) or not machines:
            return True
        return self._name in {str(machine).casefold() for machine in machines}

    def _notice(self, event: Mapping[str, JSON]) -> Notice:
        kind, at = event.get("EventType"), event.get("NotBefore")
        extra = {"cloud": "azure", "action": kind, "time": at, "event": event.get("EventId")}
        return Notice(_at(kind, at), leaves=True, extra=extra)


CLOUDS: Mapping[str, Callable[[], Cloud]] = {"aws": Aws, "gcp": Gcp, "azure": Azure}
"""By the name that `watch=` takes."""


def _object(answer: Answer) -> dict[str, JSON]:
    """The JSON object that was answered; empty where it is none: what matters is that it is there.

    AWS has a notice as soon as the path exists.
    """
    try:
        told = json.loads(answer.body)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _is_near(at: JSON) -> bool:
    """Whether it is time to leave for what happens *at* a time; without a time it happens now."""
    try:
        when: float = mail_dates().parsedate_to_datetime(str(at)).timestamp()
    except ValueError:
        return True
    return when - time.time() <= _AHEAD_S


@functools.cache
def mail_dates() -> Any:
    """`email.utils`, imported once: see `watching.http_client`."""
    return import_module("email.utils")


def _at(what: JSON, at: JSON) -> str:
    return f"{what} at {at}" if at else str(what)


@dataclass(frozen=True, slots=True)
class Service:
    """Where a metadata service is asked."""

    host: str
    port: int
    folder: str = ""
    """In front of each path."""

    @property
    def url(self) -> str:
        """For people."""
        return f"http://{self.host}:{self.port}{self.folder}"


def service_meant() -> Service:
    """That of the environment, or the one at the address that all clouds share.

    Raises:
        ConfigError: The variable holds no address.
    """
    said = os.environ.get(URL_VARIABLE) or _URL
    try:
        parts = urlsplit(said)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.scheme != "http":
        raise ConfigError(
            f"{URL_VARIABLE}={said!r} is no address of a metadata service: write it as "
            "http://127.0.0.1:8080"
        )
    return Service(host, port or 80, parts.path.rstrip("/"))


def check_watch(watch: str | None) -> str | None:
    """*watch*, if it names a cloud that can be watched, or is None.

    Raises:
        ConfigError: It does not, or the address of the service is wrong.
    """
    if watch is None:
        return None
    if watch not in CLOUDS:
        known = ", ".join(map(repr, CLOUDS))
        raise ConfigError(f"watch={watch!r} is no cloud that can be watched: choose one of {known}")
    service_meant()
    return watch
