"""Require one of the API keys in `ANIMALS_API_KEYS`, if there are any."""

import hashlib
import hmac
from collections.abc import Collection
from http import HTTPStatus
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from animals.serving.error_responses import problem_response

HEADER: Final = "X-API-Key"
"""Not `Authorization`, which Cloud Run uses itself."""

OPEN: Final = frozenset({"/healthz", "/readyz", "/v2/health/live", "/v2/health/ready"})
"""Probes of a platform, which has no key."""


def is_open(scope: Scope) -> bool:
    """Return whether a request needs no key and has no rate limit: probes, and everything but HTTP."""
    return scope["type"] != "http" or scope["path"] in OPEN


class KeyMiddleware:
    """ASGI middleware that refuses requests without a key before their body is read."""

    def __init__(self, app: ASGIApp, keys: Collection[str]) -> None:
        self._app = app
        self._digests = [_digest(key.encode()) for key in keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if is_open(scope) or self._is_valid(Headers(scope=scope).get(HEADER)):
            await self._app(scope, receive, send)
            return
        detail = f"Send your API key in the header {HEADER}."
        await problem_response(scope, HTTPStatus.UNAUTHORIZED, detail)(scope, receive, send)

    def _is_valid(self, key: str | None) -> bool:
        # Digests have one length, and all of them are compared: the duration tells nothing about the keys.
        digest = _digest((key or "").encode("latin-1"))
        return sum(hmac.compare_digest(digest, valid) for valid in self._digests) > 0


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
