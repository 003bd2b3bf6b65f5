"""How much of a request is read, for how long, and of all requests together.

Starlette's own limit answers with plain text; ours answers a `Problem`.
"""

import re
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import anyio
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from animals.serving.error_responses import answer
from animals.serving.metrics import Metrics

_LENGTH: Final = re.compile(r"[0-9]{1,20}")

_HANG_UP: Final = {"Connection": "close"}
"""For a body that goes on: its rest would otherwise be received, to be thrown away."""

_TO_ANOTHER: Final = {**_HANG_UP, "Retry-After": "1"}

ENDING_SECONDS: Final = 2.0
"""For bodies that are on their way when the service ends."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BodyLimits:
    """What a request's body may be."""

    bytes_each: int
    bytes_together: int
    """Of all requests that are not answered yet: they lie in memory, on Cloud Run those in temporary files too."""
    seconds: float
    """For the whole body, however it trickles."""


class Bodies:
    """The bodies of all requests on their way."""

    def __init__(self, limits: BodyLimits, metrics: Metrics) -> None:
        self.limits = limits
        self.metrics = metrics
        self.bytes = 0
        """Of all requests that are not answered yet."""
        self.ending = False
        """Whether the service is: what is not whole soon will not be answered."""
        self._waits: set[anyio.CancelScope] = set()

    def end(self) -> None:
        """Give those that are not whole yet a last moment."""
        self.ending = True
        for wait in self._waits:
            wait.deadline = min(wait.deadline, anyio.current_time() + ENDING_SECONDS)

    async def wait(self, receive: Receive, seconds: float) -> Message | None:
        """The next message, or None if there is none for so long."""
        with anyio.move_on_after(seconds) as wait:
            self._waits.add(wait)
            try:
                return await receive()
            finally:
                self._waits.remove(wait)
        return None


class BodyLimitMiddleware:
    """Refuses a body with too many bytes, at once where its length is announced; or one that takes too long to come."""

    def __init__(self, app: ASGIApp, bodies: Bodies) -> None:
        self._app = app
        self._bodies = bodies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a counter in between, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = Headers(scope=scope).get("content-length", "0")
        if not _LENGTH.fullmatch(length):
            refusal = answer(HTTPStatus.BAD_REQUEST, "The header Content-Length is no number.")
            await refusal(scope, receive, send)
        elif int(length) > self._bodies.limits.bytes_each:
            await answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _too_large(self._bodies.limits))(scope, receive, send)
        else:
            body = _Body(self._bodies, receive)
            try:
                await self._app(scope, body.receive, send)
            finally:
                self._bodies.bytes -= body.bytes


class _Body:
    """One request's body on its way."""

    def __init__(self, bodies: Bodies, receive: Receive) -> None:
        self.bytes = 0
        self._bodies = bodies
        self._receive = receive
        self._began: float | None = None
        self._whole = False

    async def receive(self) -> Message:
        """The next message to the application; after the body there is only the one that says that the client left.

        Raises:
            HTTPException: the body is too long, takes too long, or there is no room for it.
        """
        if self._whole:
            return await self._receive()
        now = time.perf_counter()
        self._began = now if self._began is None else self._began
        message = await self._bodies.wait(self._receive, self._bodies.limits.seconds - (now - self._began))
        if message is None:
            raise self._too_slow()
        self._count(len(message.get("body", b"")))
        if not message.get("more_body", False):
            self._whole = True
            if self.bytes:
                self._bodies.metrics.took("read", time.perf_counter() - self._began)
        return message

    def _too_slow(self) -> HTTPException:
        if self._bodies.ending:
            return HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, "The service ends. Send it again.", _TO_ANOTHER)
        seconds = f"{self._bodies.limits.seconds:g} s"
        return HTTPException(
            HTTPStatus.REQUEST_TIMEOUT, f"The body did not come within {seconds}. Send a smaller picture.", _HANG_UP
        )

    def _count(self, chunk: int) -> None:
        limits = self._bodies.limits
        self.bytes += chunk
        self._bodies.bytes += chunk
        if self.bytes > limits.bytes_each:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _too_large(limits), _HANG_UP)
        if self._bodies.bytes > limits.bytes_together:
            self._bodies.metrics.shed()
            too_many = "Too many large pictures are on their way at once. Try again in 1 s."
            raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, too_many, _TO_ANOTHER)


def _too_large(limits: BodyLimits) -> str:
    return f"The request has more than {limits.bytes_each:,} bytes. Send a smaller picture."
