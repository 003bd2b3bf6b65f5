"""Who comes in: a route that computes refuses at once, before the body is read, what it could not answer in time."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute


class ComputingRoute(APIRoute):
    """A route whose requests are read only if a model serves and the queue has room.

    Use it as `APIRouter(route_class=ComputingRoute)`, and `request.state.engine.compute` in the route.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, which reads the body first of all, behind the two checks."""
        handler = super().get_route_handler()

        async def admitted(request: Request) -> Response:
            request.state.watcher.serving()
            request.state.engine.check()
            return await handler(request)

        return admitted
