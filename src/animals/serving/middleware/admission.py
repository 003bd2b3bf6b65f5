"""Reject a request for predictions before its body is read, if it could not be answered in time."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute


class AdmissionRoute(APIRoute):
    """A route whose requests are read only if a model serves and the queue is not full.

    Used as `APIRouter(route_class=AdmissionRoute)`, with `request.state.queue.submit` in the route.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return FastAPI's handler, which reads the body first, behind the two checks."""
        handler = super().get_route_handler()

        async def check_and_handle(request: Request) -> Response:
            request.state.reloader.require_model()
            request.state.queue.check()
            return await handler(request)

        return check_and_handle
