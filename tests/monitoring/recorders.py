"""Who is asked to train again, on this machine: they remember what they were told."""

import json
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NamedTuple

import grpc
from google.pubsub_v1.types import PublishRequest, PublishResponse

HOST = "127.0.0.1"


class Topic:
    """What was published; answers with `refusal` if there is one."""

    def __init__(self) -> None:
        self.address = ""
        self.requests: list[PublishRequest] = []
        self.refusal: grpc.StatusCode | None = None

    def publish(self, request: PublishRequest, context: grpc.ServicerContext) -> PublishResponse:
        if self.refusal is not None:
            context.abort(self.refusal, "for a test")
        self.requests.append(request)
        return PublishResponse(message_ids=[str(len(self.requests))])


@contextmanager
def pubsub() -> Iterator[Topic]:
    """A server that speaks the publisher's part of Pub/Sub, with the library's own messages."""
    topic = Topic()
    publish = grpc.unary_unary_rpc_method_handler(
        topic.publish,
        request_deserializer=PublishRequest.deserialize,
        response_serializer=PublishResponse.serialize,
    )
    server = grpc.server(futures.ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("google.pubsub.v1.Publisher", {"Publish": publish}),)
    )
    topic.address = f"{HOST}:{server.add_insecure_port(f'{HOST}:0')}"
    server.start()
    try:
        yield topic
    finally:
        server.stop(None).wait()


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
