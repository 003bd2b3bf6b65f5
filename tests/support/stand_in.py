"""A service whose responses a test sets: for what the real services cannot be made to respond."""

from collections.abc import Callable

from tests.support.http import HttpServer, Request, Response, json_response


class StandIn(HttpServer):
    """A service with `responses` by path: a list, whose last one is repeated, or a function of the request."""

    def __init__(self) -> None:
        super().__init__(self._respond)
        self.responses: dict[str, list[Response] | Callable[[Request], Response]] = {}

    def received(self, path: str) -> list[Request]:
        """Return the requests for a path."""
        return [request for request in self.requests if request.route == path]

    def _respond(self, request: Request) -> Response:
        responses = self.responses.get(request.route, [json_response({"detail": "No such path."}, 404)])
        if callable(responses):
            return responses(request)
        return responses.pop(0) if len(responses) > 1 else responses[0]


def busy(detail: str, seconds: int) -> Response:
    """Return the response of a service that asks to retry after some seconds."""
    return json_response({"detail": detail}, 503)._replace(headers={"Retry-After": str(seconds)})
