"""Limit the requests of one client: `ANIMALS_RATE_LIMIT`, such as 60/minute, for each instance by itself."""

import math
import time
from http import HTTPStatus

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from animals.errors import ConfigError
from animals.serving.error_responses import problem_response
from animals.serving.middleware.auth import is_open


def parse_rate(text: str) -> RateLimitItem:
    """Return the rate that the setting names."""
    try:
        return parse(text)
    except ValueError as error:
        raise ConfigError(f"ANIMALS_RATE_LIMIT={text} is not a rate; expected one such as 60/minute.") from error


class RateMiddleware:
    """ASGI middleware that refuses a client over its rate limit before the body is read.

    Behind a trusted proxy, the client's address is the one that the proxy forwards.
    """

    def __init__(self, app: ASGIApp, *, rate: RateLimitItem, behind_proxy: bool) -> None:
        self._app = app
        self._rate = rate
        self._behind_proxy = behind_proxy
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if is_open(scope) or self._limiter.hit(self._rate, client := self._client(scope)):
            await self._app(scope, receive, send)
            return
        reset = self._limiter.get_window_stats(self._rate, client).reset_time
        wait = max(1, math.ceil(reset - time.time()))
        detail = f"The limit of one client is {self._rate}. Try again in {wait} s."
        refusal = problem_response(scope, HTTPStatus.TOO_MANY_REQUESTS, detail, {"Retry-After": str(wait)})
        await refusal(scope, receive, send)

    def _client(self, scope: Scope) -> str:
        """Return the client's address."""
        if self._behind_proxy:
            # the proxy appends the address that it sees; what comes before it may be forged by the client
            hops = Headers(scope=scope).getlist("x-forwarded-for")
            if address := hops and hops[-1].rpartition(",")[2].strip():
                return address
        return str(scope["client"][0]) if scope.get("client") else ""
