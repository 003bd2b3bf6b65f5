"""HTTP servers on this machine that respond as a test wants, and keep each request."""

import json
from collections.abc import Callable, Mapping
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import MappingProxyType
from typing import Any, NamedTuple, Self

from requests.structures import CaseInsensitiveDict

HOST = "127.0.0.1"


class Request(NamedTuple):
    """A request that a server received."""

    method: str
    path: str
    """With the query."""
    headers: CaseInsensitiveDict[str]
    body: bytes

    @property
    def route(self) -> str:
        """The path without the query."""
        return self.path.partition("?")[0]

    def json(self) -> Any:
        return json.loads(self.body)


class Response(NamedTuple):
    """A response of a server."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = MappingProxyType({})


def json_response(value: Any, status: int = 200) -> Response:
    return Response(status, json.dumps(value).encode(), {"Content-Type": "application/json"})


class HttpServer:
    """A server on a free port.

    Args:
        respond: makes the response to a request.
    """

    def __init__(self, respond: Callable[[Request], Response]) -> None:
        self.requests: list[Request] = []
        requests = self.requests

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                request = Request(self.command, self.path, CaseInsensitiveDict(self.headers.items()), body)
                requests.append(request)
                response = respond(request)
                self.send_response(response.status)
                headers = {**response.headers, "Content-Length": str(len(response.body))}
                for name, value in headers.items():
                    if name != "Transfer-Encoding":  # of a response that is forwarded: its body is whole by now
                        self.send_header(name, value)
                self.end_headers()
                self.wfile.write(response.body)

            do_POST = do_DELETE = do_GET  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:
                """Write nothing to the tests' output."""

        self._server = ThreadingHTTPServer((HOST, 0), Handler)
        self.port = self._server.server_port
        self.url = f"http://{HOST}:{self.port}"
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def forward(request: Request, port: int) -> Response:
    """Return what the server on another port responds to a request."""
    connection = HTTPConnection(HOST, port)
    connection.request(request.method, request.path, request.body, dict(request.headers))
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return Response(response.status, body, dict(response.headers))


class Proxy(HttpServer):
    """A server before another one: it changes the other's responses, or responds `instead`."""

    def __init__(
        self,
        upstream: int,
        change: Callable[[Response], Response] = lambda response: response,
        instead: Callable[[Request], Response | None] = lambda _: None,
    ) -> None:
        super().__init__(lambda request: instead(request) or change(forward(request, upstream)))


class GitHub(HttpServer):
    """A server in GitHub's place, which responds with `status` and `headers`."""

    def __init__(self) -> None:
        super().__init__(lambda _: Response(self.status, headers=self.headers))
        self.status = 204
        self.headers: dict[str, str] = {}
