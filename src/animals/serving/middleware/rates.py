"""How often a client may ask: `ANIMALS_RATE_LIMIT`, such as 60/minute, counted by each instance for itself."""

import math
import time
from http import HTTPStatus

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from animals.errors import ConfigError
from animals.serving.error_responses import answer
from animals.serving.middleware.auth import is_open


def read_rate(text: str) -> RateLimitItem:
    """A rate as the setting writes it.

    Raises:
        ConfigError: it is none.
    """
    try:
        return parse(text)
    except ValueError as error:
        raise ConfigError(f"ANIMALS_RATE_LIMIT={text} is no rate; expected one such as 60/minute.") from error


class RateMiddleware:
    """Refuses a client that asks more often than it may, before anything of the request is read.

    Args:
        app: what is behind.
        rate: of each client.
        behind_proxy: the proxy's word counts on where a request came from.
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
        free = self._limiter.get_window_stats(self._rate, client).reset_time
        wait = max(1, math.ceil(free - time.time()))
        detail = f"One client may ask {self._rate}. Try again in {wait} s."
        await answer(HTTPStatus.TOO_MANY_REQUESTS, detail, {"Retry-After": str(wait)})(scope, receive, send)

    def _client(self, scope: Scope) -> str:
        """The address that the request came from."""
        if self._behind_proxy:
            # the proxy adds the address that it saw at the end; what stands before it, the client may have made up
            hops = Headers(scope=scope).getlist("x-forwarded-for")
            if address := hops and hops[-1].rpartition(",")[2].strip():
                return address
        return str(scope["client"][0]) if scope.get("client") else ""
