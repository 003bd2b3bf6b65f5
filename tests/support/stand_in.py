"""A service that answers what a test wants: for what the real backend cannot be made to say."""

import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any, NamedTuple, Self

from requests.structures import CaseInsensitiveDict

HOST = "127.0.0.1"


class Said(NamedTuple):
    """An answer."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = MappingProxyType({})


class Heard(NamedTuple):
    """A request."""

    method: str
    path: str
    """With the query."""
    headers: CaseInsensitiveDict[str]
    body: bytes


def say(value: Any, status: int = 200, **headers: str) -> Said:
    """An answer in JSON."""
    named = {name.replace("_", "-"): header for name, header in headers.items()}
    return Said(status, json.dumps(value).encode(), named)


class StandIn:
    """Listens; `answers` says what is answered on a path, in the order of requests, the last again and again."""

    def __init__(self, **answers: list[Said] | Callable[[Heard], Said]) -> None:
        self.answers: dict[str, list[Said] | Callable[[Heard], Said]] = dict(answers)
        self.heard: list[Heard] = []
        heard_by = self._answer

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                said = heard_by(Heard(self.command, self.path, CaseInsensitiveDict(dict(self.headers)), body))
                self.send_response(said.status)
                for name, value in {**said.headers, "Content-Length": str(len(said.body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(said.body)

            do_POST = do_GET  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:
                """Not to the tests' output."""

        self._server = ThreadingHTTPServer((HOST, 0), Handler)
        self.port = self._server.server_port
        self.url = f"http://{HOST}:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def on(self, path: str) -> list[Heard]:
        """The requests for a path."""
        return [heard for heard in self.heard if heard.path.partition("?")[0] == path]

    def _answer(self, heard: Heard) -> Said:
        self.heard.append(heard)
        wanted = self.answers.get(heard.path.partition("?")[0], [say({"detail": "No such path."}, 404)])
        if callable(wanted):
            return wanted(heard)
        return wanted.pop(0) if len(wanted) > 1 else wanted[0]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
