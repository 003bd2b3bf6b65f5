"""How much of a request is read. Starlette's own limit answers with plain text; ours answers a `Problem`."""

import re
from http import HTTPStatus
from typing import Final

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from animals.serving.problems import answer

_LENGTH: Final = re.compile(r"[0-9]{1,20}")


class BodyLimitMiddleware:
    """Refuses a body with too many bytes: at once where its length is announced, else as soon as they have come."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._too_large = f"The request has more than {max_bytes:,} bytes. Send a smaller picture."

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a counter in between, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = Headers(scope=scope).get("content-length", "0")
        if not _LENGTH.fullmatch(length):
            refusal = answer(HTTPStatus.BAD_REQUEST, "The header Content-Length is no number.")
            await refusal(scope, receive, send)
        elif int(length) > self._max_bytes:
            await answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, self._too_large)(scope, receive, send)
        else:
            await self._app(scope, self._counted(receive), send)

    def _counted(self, receive: Receive) -> Receive:
        seen = 0

        async def receive_some() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._max_bytes:
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, self._too_large)
            return message

        return receive_some
