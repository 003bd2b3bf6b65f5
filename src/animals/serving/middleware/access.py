"""What is seen of each request from outside: how it was answered, how fast, and one line about it in the log.

Nothing that a client made up or is known by is kept: no address, no query, no name of a file. Paths are those of the
application's routes, such as `/v2/models/{name}/infer`.
"""

import logging
import time
from collections.abc import Sequence
from http import HTTPMethod, HTTPStatus
from typing import Final

from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from animals.serving.metrics import OTHER, Metrics

logger = logging.getLogger(__name__)

PROBES: Final = frozenset({"/healthz", "/readyz", "/metrics", "/v2/health/live", "/v2/health/ready"})
"""Asked by machines every few seconds; as long as all is well, their lines would only hide the others."""

CLIENT_GONE: Final = 499
"""Status of a request that was not answered because nobody waited for it, as nginx counts it."""


class AccessMiddleware:
    """Counts, times and logs requests; it stands outside of all that may refuse one."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        self._templates: dict[str, str] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and note what comes of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), CLIENT_GONE

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self._metrics.begun()
        try:
            await self._app(scope, receive, noted)
        except Exception:
            if status == CLIENT_GONE:  # starlette answers once this has passed
                status = HTTPStatus.INTERNAL_SERVER_ERROR
            raise
        finally:
            seconds, route = time.perf_counter() - started, self._template(scope)
            self._metrics.ended(route, status, seconds)
            _log(scope["method"], route, status, seconds)

    def _template(self, scope: Scope) -> str:
        """The route's path, without the final slash; also of a request that was refused before it was routed."""
        if path := getattr(scope.get("route"), "path_format", None):
            return _bare(path)
        if not self._templates and "app" in scope:
            self._templates = _plain_paths(scope["app"].routes)
        return self._templates.get(_bare(scope["path"]), OTHER)


def _bare(path: str) -> str:
    return path.rstrip("/") or "/"


def _plain_paths(routes: Sequence[BaseRoute]) -> dict[str, str]:
    """Every path without a parameter, by itself."""
    paths = (context.path for context in iter_route_contexts(routes))
    return {_bare(path): _bare(path) for path in paths if path and "{" not in path}


def _log(method: str, route: str, status: int, seconds: float) -> None:
    level = logging.WARNING if status >= HTTPStatus.INTERNAL_SERVER_ERROR else logging.INFO
    if route in PROBES and status < HTTPStatus.BAD_REQUEST:
        level = logging.DEBUG
    if logger.isEnabledFor(level):
        method = method if method in HTTPMethod.__members__ else OTHER
        # https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry#HttpRequest, shown as such there
        fields = {"requestMethod": method, "requestUrl": route, "status": int(status), "latency": f"{seconds:.6f}s"}
        logger.log(level, "%s %s %d in %.1f ms", method, route, status, 1000 * seconds, extra={"httpRequest": fields})
