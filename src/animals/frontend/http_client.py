"""HTTP client of another service: each way in which a request can fail is an error of `animals.errors`."""

import logging
import time
from http import HTTPStatus
from typing import Any, Final, TypeVar

import requests
from google.auth.exceptions import GoogleAuthError
from pydantic import BaseModel, ValidationError

from animals.api import Problem
from animals.errors import RequestRefused, ServiceError

logger = logging.getLogger(__name__)

CONNECT_SECONDS: Final = 5.0
"""Time limit to connect. A service that is just starting on Cloud Run accepts the connection and responds later."""

_PROXY_STATUS: Final = (HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT)

M = TypeVar("M", bound=BaseModel)


class HttpClient:
    """Client of one service; error messages begin with its name.

    The session authenticates the requests. The patience is the number of seconds that retries of one request may wait
    in total, while the service asks to retry later.
    """

    def __init__(self, name: str, address: str, session: requests.Session, *, patience: int = 2) -> None:
        self.name = name
        self._address = address.rstrip("/")
        self._session = session
        self._patience = patience

    def request(self, method: str, path: str, *, timeout: float, **options: Any) -> requests.Response:
        """Send a request, and retry it while the service is busy: it stores the same feedback only once.

        The timeout holds until the response begins, and between two parts of it.

        Raises:
            RequestRefused: the service rejects the request with a reason (HTTP status 4xx).
            ServiceError: the service is not running, slow, starting or busy, or fails.
        """
        response = self._send(method, path, timeout, options)
        waited = 0
        while (pause := _retry_after(response)) and waited + pause <= self._patience:
            time.sleep(pause)
            waited += pause
            response = self._send(method, path, timeout, options)
        if response.status_code != HTTPStatus.OK:
            raise self._error(response)
        return response

    def request_model(self, model: type[M], method: str, path: str, *, timeout: float, **options: Any) -> M:
        """Send a request and parse the JSON of its response; fields that a newer service adds are ignored."""
        response = self.request(method, path, timeout=timeout, **options)
        try:
            return model.model_validate_json(response.content, extra="ignore")
        except ValidationError as error:
            logger.warning("The response to %s %s is no %s: %s", method, response.url, model.__name__, error)
            raise ServiceError(
                f"{self.name} sent a response that this page cannot read. "
                "Deploy the page and the service from the same version."
            ) from error

    def _send(self, method: str, path: str, timeout: float, options: dict[str, Any]) -> requests.Response:
        url = f"{self._address}{path}"
        try:
            return self._session.request(
                method, url, timeout=(CONNECT_SECONDS, timeout), allow_redirects=False, **options
            )
        except requests.ReadTimeout as error:
            raise self._unavailable(url, error, f"did not respond within {timeout:.0f} seconds") from error
        except (requests.RequestException, GoogleAuthError) as error:
            raise self._unavailable(url, error, "cannot be reached") from error

    def _unavailable(self, url: str, error: Exception, reason: str) -> ServiceError:
        logger.warning("%s: %s", url, error)
        return ServiceError(f"{self.name} {reason}. It may be starting; try again in a few seconds.")

    def _error(self, response: requests.Response) -> ServiceError:
        status = response.status_code
        logger.warning("%s %s", response.url, status)
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            return ServiceError(_detail(response) or f"{self.name} is not ready. Try again in a few seconds.")
        if status in _PROXY_STATUS:
            return ServiceError(f"{self.name} cannot be reached. Try again in a few seconds.")
        if 400 <= status < 500:
            return RequestRefused(_detail(response) or f"{self.name} rejected the request (HTTP status {status}).")
        return ServiceError(f"{self.name} failed (HTTP status {status}). Its log gives the reason.")


def _retry_after(response: requests.Response) -> int:
    """Return the seconds after which a busy service accepts the request; 0 if it is not busy or does not say."""
    seconds = response.headers.get("Retry-After", "")
    busy = response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    return int(seconds) if busy and seconds.isdecimal() else 0


def _detail(response: requests.Response) -> str | None:
    try:
        return Problem.model_validate_json(response.content, extra="ignore").detail
    except ValidationError:
        return None  # a proxy's page
