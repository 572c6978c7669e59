"""A web server on loopback that gives out the files of a folder, or fails as it is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Who asked has left before the answer: that is part of the tests."""


class FileServer:
    """Gives out *folder*; change what follows while it runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.status = 0
        """Answered to everything, where it is not 0."""
        self.lost = 0
        """Bytes that are missing at the end of each answer."""
        self.asked: list[str] = []
        self._server = _Quiet(("127.0.0.1", 0), self._handler())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked.append(self.path)
                path = server.folder / unquote(urlsplit(self.path).path).lstrip("/")
                if server.status or not path.is_file():
                    self.send_error(server.status or 404)
                    return
                data = path.read_bytes()
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data[: len(data) - server.lost])

            def log_message(self, *_: Any) -> None:
                """Nothing on stderr."""

        return Handler

    def serve(self) -> None:
        self._server.serve_forever(poll_interval=0.05)

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def serving(folder: Path) -> Iterator[FileServer]:
    """A server that gives out *folder*, and has ended behind the block."""
    server = FileServer(folder)
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join()
