"""A server in GitHub's place, which remembers what it was told."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NamedTuple

HOST = "127.0.0.1"


class Posted(NamedTuple):
    """One request."""

    path: str
    headers: dict[str, str]
    body: Any


class GitHub:
    """What was posted; answers with `status`."""

    def __init__(self) -> None:
        self.url = ""
        self.posted: list[Posted] = []
        self.status = 204
        self.headers: dict[str, str] = {}


@contextmanager
def github() -> Iterator[GitHub]:
    """A server in GitHub's place."""
    recorder = GitHub()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            recorder.posted.append(Posted(self.path, dict(self.headers), body))
            self.send_response(recorder.status)
            for name, value in recorder.headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Not to the tests' output."""

    server = ThreadingHTTPServer((HOST, 0), Handler)
    recorder.url = f"http://{HOST}:{server.server_port}"
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield recorder
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
