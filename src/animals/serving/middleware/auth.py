"""Who may ask: those with one of the keys in `ANIMALS_API_KEYS`, where there are any."""

import hashlib
import hmac
from collections.abc import Collection
from http import HTTPStatus
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from animals.serving.error_responses import answer

HEADER: Final = "X-API-Key"
"""Not `Authorization`, which Cloud Run's own log-in uses."""

OPEN: Final = frozenset({"/healthz", "/readyz", "/v2/health/live", "/v2/health/ready"})
"""What a platform asks, which has no key."""


def is_open(scope: Scope) -> bool:
    """Whether anybody may ask as often as they like: probes, and what is no HTTP request."""
    return scope["type"] != "http" or scope["path"].rstrip("/") in OPEN


class KeyMiddleware:
    """Refuses requests without a key before anything of them is read."""

    def __init__(self, app: ASGIApp, keys: Collection[str]) -> None:
        self._app = app
        self._digests = [_digest(key.encode()) for key in keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if is_open(scope) or self._knows(Headers(scope=scope).get(HEADER)):
            await self._app(scope, receive, send)
            return
        refusal = answer(HTTPStatus.UNAUTHORIZED, f"Send your API key in the header {HEADER}.")
        await refusal(scope, receive, send)

    def _knows(self, key: str | None) -> bool:
        # Digests have one length, and every one of them is looked at: the time tells nothing of the keys.
        given = _digest((key or "").encode("latin-1"))
        return sum(hmac.compare_digest(given, digest) for digest in self._digests) > 0


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
