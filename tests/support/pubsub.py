"""Pub/Sub on this machine, which keeps what is published."""

from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager

import grpc
from google.pubsub_v1.types import PublishRequest, PublishResponse

from tests.support.http import HOST


class Topic:
    """What was published; a request fails with `refusal` if there is one."""

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
def running_topic() -> Iterator[Topic]:
    """Serve the publisher's part of Pub/Sub, with the library's own messages."""
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
