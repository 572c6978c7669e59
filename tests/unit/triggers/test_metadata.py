"""What each cloud announces, in the cloud's own words, asked of a service on loopback."""

from __future__ import annotations

import email.utils
import json
import socket
import threading
import time

import pytest
from metadata_server import ACTION, EVENT, MetadataServer

from resume.errors import ConfigError
from resume.triggers.metadata import CLOUDS, NoService, Service, check_watch, service_meant
from resume.triggers.watching import Watcher

REBALANCE = "/latest/meta-data/events/recommendations/rebalance"
MAINTENANCE = "/computeMetadata/v1/instance/maintenance-event"


@pytest.fixture
def server(request):
    with MetadataServer(request.param).running() as running:
        yield running


@pytest.fixture
def watcher(server, monkeypatch):
    monkeypatch.setenv("RESUME_METADATA", server.url)
    return Watcher(CLOUDS[server.cloud](), service_meant())


each_cloud = pytest.mark.parametrize("server", CLOUDS, indirect=True)
aws = pytest.mark.parametrize("server", ["aws"], indirect=True)
gcp = pytest.mark.parametrize("server", ["gcp"], indirect=True)
azure = pytest.mark.parametrize("server", ["azure"], indirect=True)


@each_cloud
def test_nothing_is_announced_most_times(watcher):
    assert [watcher.poll() for _ in range(3)] == [None] * 3


@each_cloud
def test_each_cloud_is_understood(server, watcher):
    """The machine goes away, and the manifest is to tell which cloud said so."""
    watcher.poll()
    server.announce()

    notice = watcher.poll()

    assert notice.leaves
    assert notice.extra["cloud"] == server.cloud


@each_cloud
def test_proxies_of_the_environment_are_not_asked(server, watcher, monkeypatch):
    """A link-local address means this machine, and no proxy can reach it."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    server.announce()

    assert watcher.poll() is not None


# --- AWS ---------------------------------------------------------------------------------------


@aws
def test_aws_tells_what_is_done_and_when(server, watcher):
    server.announce(action="stop")

    notice = watcher.poll()

    assert notice.what == "stop at 2017-09-18T08:22:00Z"
    assert notice.extra == {"cloud": "aws", "action": "stop", "time": "2017-09-18T08:22:00Z"}


@aws
def test_aws_is_asked_with_one_token_for_hours(server, watcher):
    for _ in range(3):
        watcher.poll()

    assert [one for one in server.asked if one.startswith("PUT")] == ["PUT /latest/api/token"]


@aws
def test_a_token_that_has_expired_is_renewed(server, watcher):
    watcher.poll()
    server.tokens.clear()
    server.announce()

    assert [watcher.poll() is not None for _ in range(2)] == [False, True]


@aws
def test_a_token_that_is_none_ends_nothing(server, watcher):
    """What cannot stand in a header is refused by the library, with an error of another kind."""
    server.tokens.add("two\nlines")

    assert [watcher.poll() for _ in range(2)] == [None, None]


@aws
def test_where_no_token_is_given_the_older_way_is_tried(server, watcher):
    server.gives_tokens = server.wants_tokens = False
    server.announce()

    assert watcher.poll().extra["action"] == ACTION["action"]


@aws
def test_who_can_get_no_token_is_told_what_to_do(server, watcher):
    """In a container the answer to a PUT may be lost on the way, and a GET is refused."""
    server.gives_tokens = False

    with pytest.raises(NoService, match="hop limit"):
        watcher.poll()


@aws
def test_a_risk_that_has_risen_asks_once_and_leaves_not(server, watcher):
    server.pages[REBALANCE] = (200, json.dumps({"noticeTime": "2020-10-27T08:22:00Z"}))

    first, second = watcher.poll(), watcher.poll()

    assert not first.leaves
    assert first.extra["time"] == "2020-10-27T08:22:00Z"
    assert second is None
    server.announce()
    assert watcher.poll().leaves


@aws
def test_a_notice_counts_whatever_it_says(server, watcher):
    """That the path is there is the notice."""
    server.pages["/latest/meta-data/spot/instance-action"] = (200, "soon")

    assert watcher.poll().leaves


# --- Google ------------------------------------------------------------------------------------


@gcp
def test_maintenance_that_moves_the_memory_along_is_none_of_ours(server, watcher):
    server.pages[MAINTENANCE] = (200, "MIGRATE_ON_HOST_MAINTENANCE")

    assert watcher.poll() is None


@gcp
def test_maintenance_that_ends_the_machine_some_time_asks_once_and_leaves_not(server, watcher):
    """It comes up to an hour ahead, without a time: the SIGTERM of the shutdown leaves."""
    server.pages[MAINTENANCE] = (200, "TERMINATE_ON_HOST_MAINTENANCE")

    first, second = watcher.poll(), watcher.poll()

    assert not first.leaves
    assert second is None
    server.announce()
    assert watcher.poll().leaves


@pytest.mark.parametrize("server", ["aws", "azure"], indirect=True)
def test_what_does_not_answer_as_google_is_not_google(server):
    host, _, port = server.url.removeprefix("http://").partition(":")
    watcher = Watcher(CLOUDS["gcp"](), Service(host, int(port)))

    with pytest.raises(NoService, match="Google"):
        watcher.poll()


# --- Azure -------------------------------------------------------------------------------------


@azure
def test_azure_tells_the_event_and_its_id(server, watcher):
    server.announce()

    extra = watcher.poll().extra

    assert extra["action"] == "Preempt"
    assert extra["event"] == EVENT["EventId"]


@azure
@pytest.mark.parametrize("kind", ["Preempt", "Terminate", "Reboot", "Redeploy"])
def test_events_that_end_the_machine(server, watcher, kind):
    server.announce(EventType=kind)

    assert watcher.poll().leaves


@azure
def test_a_freeze_is_no_end(server, watcher):
    server.announce(EventType="Freeze")

    assert watcher.poll() is None


@azure
def test_events_of_other_machines_of_the_set_are_theirs(server, watcher):
    server.announce(Resources=["worker_0", "worker_77"])

    assert watcher.poll() is None


@azure
def test_a_machine_that_cannot_learn_its_name_takes_every_event_for_its_own(server, watcher):
    del server.pages["/metadata/instance/compute/name"]
    server.announce(Resources=["worker_0"])

    assert watcher.poll() is not None


@azure
def test_an_event_days_ahead_waits_until_it_is_near(server, watcher):
    """Hardware that wears out is announced a week ahead: a rerun would only leave again."""
    far = email.utils.formatdate(time.time() + 7 * 86400, usegmt=True)
    near = email.utils.formatdate(time.time() + 30, usegmt=True)
    server.announce(EventType="Redeploy", NotBefore=far)
    assert watcher.poll() is None

    server.announce(EventType="Redeploy", NotBefore=near)

    assert watcher.poll().leaves


@azure
@pytest.mark.parametrize("unknown", ["", "soon", None])
def test_an_event_without_a_time_is_near(server, watcher, unknown):
    server.announce(NotBefore=unknown)

    assert watcher.poll().leaves


@azure
def test_a_reboot_that_had_begun_before_the_program_is_behind_it(server, watcher):
    """The list still holds it after the machine is up again: leaving would only be repeated."""
    server.announce(EventType="Reboot", EventStatus="Started", NotBefore="")
    assert watcher.poll() is None

    server.announce(EventType="Reboot", EventStatus="Started", NotBefore="", EventId="another")

    assert watcher.poll().leaves


@azure
def test_an_eviction_that_has_begun_is_an_end_all_the_same(server, watcher):
    server.announce(EventStatus="Started", NotBefore="")

    assert watcher.poll().leaves


@azure
@pytest.mark.parametrize("text", ["", "[]", '{"Events": 3}', '{"Events": ["x"]}'])
def test_a_list_that_cannot_be_read_announces_nothing(server, watcher, text):
    server.pages["/metadata/scheduledevents"] = (200, text)

    assert watcher.poll() is None


# --- a service that fails ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("server", "page"),
    [
        ("gcp", "/computeMetadata/v1/instance/preempted"),
        ("azure", "/metadata/scheduledevents"),
    ],
    indirect=["server"],
)
@pytest.mark.parametrize("status", [408, 410, 429, 500, 503])
def test_a_passing_fault_is_no_notice_and_no_end(server, watcher, page, status):
    server.pages[page] = (status, "later")
    assert watcher.poll() is None
    server.announce()

    assert watcher.poll() is not None


class Slow:
    """Answers one question, and takes minutes for the next: Azure's first list of events."""

    def poll(self, ask):
        ask("GET", "/metadata/instance/compute/name?api-version=2021-02-01", {"Metadata": "true"})
        raise TimeoutError("timed out")


@azure
def test_who_has_answered_anything_is_there_however_slow(server):
    host, _, port = server.url.removeprefix("http://").partition(":")

    assert Watcher(Slow(), Service(host, int(port))).poll() is None


@azure
def test_who_answers_otherwise_from_the_first_is_not_asked_again(server, watcher):
    del server.pages["/metadata/scheduledevents"]

    with pytest.raises(NoService, match="404"):
        watcher.poll()


@azure
def test_who_has_answered_once_may_fail_later(server, watcher):
    watcher.poll()
    del server.pages["/metadata/scheduledevents"]

    assert watcher.poll() is None


@each_cloud
def test_a_service_that_was_there_may_be_gone_for_a_while(server, watcher, monkeypatch):
    watcher.poll()
    monkeypatch.setattr(watcher, "_service", Service("127.0.0.1", 1))

    assert watcher.poll() is None


@pytest.mark.parametrize("cloud", CLOUDS)
def test_where_nobody_listens_there_is_no_cloud(cloud):
    watcher = Watcher(CLOUDS[cloud](), Service("127.0.0.1", 1))

    with pytest.raises(NoService, match=r"http://127\.0\.0\.1:1.*refused"):
        watcher.poll()


def test_who_speaks_no_http_is_no_cloud():
    def greet() -> None:
        with listening.accept()[0] as asking:
            asking.recv(1000)
            asking.sendall(b"220 ready\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=greet)
        thread.start()
        watcher = Watcher(CLOUDS["gcp"](), Service(*listening.getsockname()))

        with pytest.raises(NoService, match="no HTTP"):
            watcher.poll()

        thread.join()


# --- where it is asked -------------------------------------------------------------------------


def test_the_address_that_all_clouds_share():
    assert service_meant() == Service("169.254.169.254", 80)


def test_another_address_of_the_environment(monkeypatch):
    monkeypatch.setenv("RESUME_METADATA", "http://[::1]:8080/under/")

    assert service_meant() == Service("::1", 8080, "/under")


@pytest.mark.parametrize("url", ["127.0.0.1:80", "https://a", "http://", "http://a:port"])
def test_an_address_that_is_none_is_refused(monkeypatch, url):
    monkeypatch.setenv("RESUME_METADATA", url)

    with pytest.raises(ConfigError, match="RESUME_METADATA"):
        check_watch("aws")


@pytest.mark.parametrize("watch", [None, *CLOUDS])
def test_clouds_that_can_be_watched(watch):
    assert check_watch(watch) == watch


def test_a_cloud_that_nobody_knows_is_refused():
    with pytest.raises(ConfigError, match="watch='ibm'.*'aws', 'gcp', 'azure'"):
        check_watch("ibm")
