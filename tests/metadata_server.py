"""A cloud's metadata service on loopback, as strict as the real ones about how it is asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

EVENT = {
    "EventId": "602d9444-d2cd-49c7-8624-8643e7171297",
    "EventStatus": "Scheduled",
    "EventType": "Preempt",
    "ResourceType": "VirtualMachine",
    "Resources": ["worker_0", "worker_7"],
    "NotBefore": "Mon, 19 Sep 2016 18:29:47 GMT",
    "Description": "",
    "EventSource": "Platform",
    "DurationInSeconds": -1,
}
ACTION = {"action": "terminate", "time": "2017-09-18T08:22:00Z"}


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Who asked has left before the answer: that is part of the tests."""


class MetadataServer:
    """What one cloud answers; change `pages` and the rest while it runs."""

    def __init__(self, cloud: str) -> None:
        self.cloud = cloud
        self.pages: dict[str, tuple[int, str]] = {}
        self.asked: list[str] = []
        """Method and path of each question."""
        self.tokens: set[str] = set()
        self.gives_tokens = self.wants_tokens = True
        if cloud == "gcp":
            self.pages["/computeMetadata/v1/instance/preempted"] = (200, "FALSE")
            self.pages["/computeMetadata/v1/instance/maintenance-event"] = (200, "NONE")
        if cloud == "azure":
            self.pages["/metadata/instance/compute/name"] = (200, "worker_7")
            self.list_events()
        self._server = _Quiet(("127.0.0.1", 0), self._handler())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def announce(self, **changed: Any) -> None:
        """The machine is taken away."""
        if self.cloud == "aws":
            told = json.dumps({**ACTION, **changed})
            self.pages["/latest/meta-data/spot/instance-action"] = (200, told)
        elif self.cloud == "gcp":
            self.pages["/computeMetadata/v1/instance/preempted"] = (200, "TRUE")
        else:
            self.list_events({**EVENT, **changed})

    def list_events(self, *events: Mapping[str, Any]) -> None:
        """Azure's list."""
        told = json.dumps({"DocumentIncarnation": 1, "Events": list(events)})
        self.pages["/metadata/scheduledevents"] = (200, told)

    def answer_to(self, method: str, path: str, headers: Mapping[str, str]) -> tuple[int, str]:
        """What the real one would say."""
        self.asked.append(f"{method} {path}")
        bare, _, query = path.partition("?")
        if self.cloud == "aws":
            return self._aws(method, bare, headers)
        if self.cloud == "gcp" and headers.get("Metadata-Flavor") != "Google":
            return 403, "missing required header"
        is_azure_question = headers.get("Metadata") == "true" and "api-version=" in query
        if self.cloud == "azure" and not is_azure_question:
            return 400, '{"error": "Bad request"}'
        return self.pages.get(bare, (404, "not found"))

    def _aws(self, method: str, path: str, headers: Mapping[str, str]) -> tuple[int, str]:
        if method == "PUT":
            if path != "/latest/api/token" or not self.gives_tokens:
                return 403, ""
            if not 1 <= int(headers["X-aws-ec2-metadata-token-ttl-seconds"]) <= 21600:
                return 400, ""
            self.tokens.add(f"token-{len(self.asked)}")
            return 200, max(self.tokens)
        if self.wants_tokens and headers.get("X-aws-ec2-metadata-token") not in self.tokens:
            return 401, ""
        return self.pages.get(path, (404, "not found"))

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, text = service.answer_to(self.command, self.path, self.headers)
                self.send_response(status)
                if service.cloud == "gcp":
                    self.send_header("Metadata-Flavor", "Google")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            do_PUT = do_GET

            def log_message(self, *args: object) -> None:
                pass

        return Handler

    @contextmanager
    def running(self) -> Iterator[MetadataServer]:
        """It answers while the block runs."""
        thread = threading.Thread(target=self._server.serve_forever, args=(0.005,))
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()
