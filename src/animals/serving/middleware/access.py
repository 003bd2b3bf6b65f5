"""Count, time and log each request, in one line.

Nothing that a client chooses or is known by is kept: no address, no query, no file name. Paths are those of the
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

from animals.serving.error_responses import CLIENT_CLOSED_REQUEST
from animals.serving.metrics import OTHER, Metrics
from animals.serving.middleware.auth import OPEN

logger = logging.getLogger(__name__)

PROBES: Final = OPEN | {"/metrics"}
"""Requested every few seconds; their lines would hide the others, so that only failures are logged."""


class AccessMiddleware:
    """ASGI middleware that counts, times and logs requests, outside of all that may refuse one."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        self._plain_paths: frozenset[str] = frozenset()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and record its status and duration."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), CLIENT_CLOSED_REQUEST

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            with self._metrics.in_flight.track_inprogress():
                await self._app(scope, receive, send_and_note)
        except Exception:
            if status == CLIENT_CLOSED_REQUEST:  # starlette responds outside of this middleware
                status = HTTPStatus.INTERNAL_SERVER_ERROR
            raise
        finally:
            seconds, route = time.perf_counter() - started, self._route_path(scope)
            self._metrics.count_request(route, status, seconds)
            _log(scope["method"], route, status, seconds)

    def _route_path(self, scope: Scope) -> str:
        """Return the route's path without the final slash, also for a request that was refused before routing."""
        if path := getattr(scope.get("route"), "path_format", None):
            return _without_slash(path)
        if not self._plain_paths and "app" in scope:
            self._plain_paths = _paths_without_parameters(scope["app"].routes)
        path = _without_slash(scope["path"])
        return path if path in self._plain_paths else OTHER


def _without_slash(path: str) -> str:
    return path.rstrip("/") or "/"


def _paths_without_parameters(routes: Sequence[BaseRoute]) -> frozenset[str]:
    paths = (context.path for context in iter_route_contexts(routes))
    return frozenset(_without_slash(path) for path in paths if path and "{" not in path)


def _log(method: str, route: str, status: int, seconds: float) -> None:
    level = logging.WARNING if status >= HTTPStatus.INTERNAL_SERVER_ERROR else logging.INFO
    if route in PROBES and status < HTTPStatus.BAD_REQUEST:
        level = logging.DEBUG
    if logger.isEnabledFor(level):
        method = method if method in HTTPMethod.__members__ else OTHER
        # https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry#HttpRequest, shown as such there
        fields = {"requestMethod": method, "requestUrl": route, "status": int(status), "latency": f"{seconds:.6f}s"}
        logger.log(level, "%s %s %d in %.1f ms", method, route, status, 1000 * seconds, extra={"httpRequest": fields})
