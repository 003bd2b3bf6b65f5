"""Limit the bytes and the duration of each request's body, and the bytes of all bodies together."""

import re
import time
from http import HTTPStatus
from typing import Final

import anyio
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from animals.serving.error_responses import problem_response
from animals.serving.metrics import Metrics
from animals.serving.settings import BackendSettings

SHUTDOWN_SECONDS: Final = 2.0
"""Time for bodies that are being read when the service shuts down."""

_LENGTH: Final = re.compile(r"[0-9]{1,20}")

_CLOSE: Final = {"Connection": "close"}
"""The rest of a refused body would otherwise be received and thrown away."""

_CLOSE_AND_RETRY: Final = {**_CLOSE, "Retry-After": "1"}


class Uploads:
    """All request bodies that are in memory or being read, on Cloud Run those in temporary files too."""

    def __init__(self, settings: BackendSettings, metrics: Metrics) -> None:
        self.metrics = metrics
        self.max_bytes = settings.max_upload_bytes
        self.max_total_bytes = settings.max_uploads_bytes
        self.seconds = settings.upload_seconds
        self.bytes = 0
        """Of all requests that have no response yet."""
        self._shutting_down = False
        self._scopes: set[anyio.CancelScope] = set()

    def shut_down(self) -> None:
        """Give the bodies that are being read a last moment."""
        self._shutting_down = True
        for scope in self._scopes:
            scope.deadline = min(scope.deadline, anyio.current_time() + SHUTDOWN_SECONDS)

    async def receive(self, receive: Receive, seconds: float) -> Message:
        """Return the next message; raise HTTPException if it does not arrive in time."""
        with anyio.move_on_after(seconds) as scope:
            self._scopes.add(scope)
            try:
                return await receive()
            finally:
                self._scopes.remove(scope)
        if self._shutting_down:
            detail = "The service is shutting down. Send the request again."
            raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, detail, _CLOSE_AND_RETRY)
        detail = f"The body did not arrive within {self.seconds:g} s. Send a smaller picture."
        raise HTTPException(HTTPStatus.REQUEST_TIMEOUT, detail, _CLOSE)

    @property
    def too_large(self) -> str:
        """Message for a body over the limit."""
        return f"The request has more than {self.max_bytes:,} bytes. Send a smaller picture."


class BodyLimitMiddleware:
    """ASGI middleware that refuses a body over the limits: by its announced length at once, or while it is read.

    Starlette's own limit responds with plain text; this one responds with a `Problem`.
    """

    def __init__(self, app: ASGIApp, uploads: Uploads) -> None:
        self._app = app
        self._uploads = uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its body counted, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = Headers(scope=scope).get("content-length", "0")
        if not _LENGTH.fullmatch(length):
            detail = "The header Content-Length is not a number."
            await problem_response(scope, HTTPStatus.BAD_REQUEST, detail)(scope, receive, send)
        elif int(length) > self._uploads.max_bytes:
            refusal = problem_response(scope, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, self._uploads.too_large)
            await refusal(scope, receive, send)
        else:
            body = _Body(self._uploads, receive)
            try:
                await self._app(scope, body.receive, send)
            finally:
                self._uploads.bytes -= body.bytes


class _Body:
    """The body of one request while it is read."""

    def __init__(self, uploads: Uploads, receive: Receive) -> None:
        self.bytes = 0
        self._uploads = uploads
        self._receive = receive
        self._started: float | None = None
        self._complete = False

    async def receive(self) -> Message:
        """Return the next message; after the body, only the client's disconnection is left."""
        if self._complete:
            return await self._receive()
        now = time.perf_counter()
        self._started = now if self._started is None else self._started
        message = await self._uploads.receive(self._receive, self._uploads.seconds - (now - self._started))
        self._count(len(message.get("body", b"")))
        if not message.get("more_body", False):
            self._complete = True
            if self.bytes:
                self._uploads.metrics.stages["read"].observe(time.perf_counter() - self._started)
        return message

    def _count(self, chunk: int) -> None:
        self.bytes += chunk
        self._uploads.bytes += chunk
        if self.bytes > self._uploads.max_bytes:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, self._uploads.too_large, _CLOSE)
        if self._uploads.bytes > self._uploads.max_total_bytes:
            self._uploads.metrics.shed.inc()
            detail = "Too many large pictures are being sent at once. Try again in 1 s."
            raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, detail, _CLOSE_AND_RETRY)
