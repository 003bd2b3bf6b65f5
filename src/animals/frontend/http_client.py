"""Another service, asked over HTTP: every way in which that can fail becomes one of the errors of `animals.errors`."""

import logging
import time
from http import HTTPStatus
from typing import Any, Final, TypeVar

import requests
from google.auth.exceptions import GoogleAuthError
from pydantic import BaseModel, ConfigDict, ValidationError

from animals.errors import RequestRefused, ServiceError

logger = logging.getLogger(__name__)

CONNECT_SECONDS: Final = 5.0
"""To reach a service. One that is started only now on Cloud Run takes the connection at once and answers later."""

PATIENCE_SECONDS: Final = 2
"""A service that asks for no longer a pause than this is asked once more by itself."""

_PROXY_STATUS: Final = (HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT)
"""Said by what stands before a service that is away."""


class View(BaseModel):
    """Base of what is read from an answer: fields that a newer service adds are none of our business."""

    model_config = ConfigDict(extra="ignore", frozen=True)


V = TypeVar("V", bound=View)


class _Problem(View):
    detail: str


class Service:
    """A service.

    Args:
        name: what people call it, at the beginning of a sentence.
        address: its URL, without a path.
        session: sends the requests, and adds to them what lets us in.
    """

    def __init__(self, name: str, address: str, session: requests.Session) -> None:
        self.name = name
        self._address = address.rstrip("/")
        self._session = session

    def ask(self, method: str, path: str, *, seconds: float, **options: Any) -> requests.Response:
        """Send a request, and once more if the service is busy for a moment only.

        Asking twice does no harm: answers and feedback are the same however often they are sent.

        Args:
            method: of HTTP.
            path: with a slash first.
            seconds: that it may take until the answer begins, and then between two pieces of it.
            options: of `requests.Session.request`.

        Raises:
            RequestRefused: it says why it will not.
            ServiceError: it is away, slow, starting or busy, or answers what it should not.
        """
        response = self._send(method, path, seconds, options)
        if response.status_code == HTTPStatus.SERVICE_UNAVAILABLE and 0 < _pause(response) <= PATIENCE_SECONDS:
            time.sleep(_pause(response))
            response = self._send(method, path, seconds, options)
        if response.status_code != HTTPStatus.OK:
            raise self._failure(response)
        return response

    def read(self, kind: type[V], method: str, path: str, *, seconds: float, **options: Any) -> V:
        """The same, and the answer's JSON as a view of it."""
        response = self.ask(method, path, seconds=seconds, **options)
        try:
            return kind.model_validate_json(response.content)
        except ValidationError as error:
            logger.warning("%s %s answers what is no %s: %s", method, response.url, kind.__name__, error)
            raise ServiceError(
                f"{self.name} answered something that this page does not understand. "
                "Its version and the page's may not fit together."
            ) from error

    def _send(self, method: str, path: str, seconds: float, options: dict[str, Any]) -> requests.Response:
        url = f"{self._address}{path}"
        try:
            return self._session.request(
                method, url, timeout=(CONNECT_SECONDS, seconds), allow_redirects=False, **options
            )
        except requests.ConnectTimeout as error:
            raise self._away(url, error, "cannot be reached") from error
        except requests.Timeout as error:
            raise self._away(url, error, f"did not answer within {seconds:.0f} seconds") from error
        except (requests.RequestException, GoogleAuthError) as error:
            raise self._away(url, error, "cannot be reached") from error

    def _away(self, url: str, error: Exception, what: str) -> ServiceError:
        logger.warning("%s: %s", url, error)
        return ServiceError(f"{self.name} {what}. It may be starting; try again in a few seconds.")

    def _failure(self, response: requests.Response) -> ServiceError:
        status = response.status_code
        logger.warning("%s %s", response.url, status)
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            return ServiceError(_detail(response) or f"{self.name} is not ready. Try again in a few seconds.")
        if status in _PROXY_STATUS:
            return ServiceError(f"{self.name} cannot be reached. Try again in a few seconds.")
        if 400 <= status < 500:
            return RequestRefused(_detail(response) or f"{self.name} refuses the request (HTTP status {status}).")
        return ServiceError(f"{self.name} failed (HTTP status {status}); its log says why.")


def _pause(response: requests.Response) -> int:
    """Seconds after which the service wants to be asked again; 0 where it does not say."""
    wanted = response.headers.get("Retry-After", "")
    return int(wanted) if wanted.isdecimal() else 0


def _detail(response: requests.Response) -> str | None:
    try:
        return _Problem.model_validate_json(response.content).detail
    except ValidationError:
        return None  # a proxy's page, not the service's own words
