"""Smoke tests of a deployed revision: a few requests to its URL."""

import contextlib
import json
import math
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final

from animals.errors import ServiceError

SECONDS: Final = 60.0
"""Timeout of a request; starting an instance takes some of it."""

PICTURE: Final = Path(__file__).parents[1] / "frontend" / "examples" / "cat.jpg"


@dataclass(frozen=True, slots=True)
class Client:
    """A client of a service."""

    url: str
    token: str
    """Identity token; empty for unauthenticated requests."""

    def get(self, path: str) -> tuple[int, bytes]:
        """Return status and body of the response. Errors as for `send`."""
        return self.send(urllib.request.Request(f"{self.url}{path}"))  # noqa: S310 - a URL of Cloud Run

    def post(self, path: str, name: str, content: bytes) -> tuple[int, bytes]:
        """Send a file in the form field `file`. Returns and errors as for `get`."""
        boundary = uuid.uuid4().hex
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        body = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
        kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        return self.send(urllib.request.Request(f"{self.url}{path}", body, kind))  # noqa: S310

    def send(self, request: urllib.request.Request) -> tuple[int, bytes]:
        """Return status and body of the response to a request.

        Raises:
            ServiceError: there is no response.
        """
        if self.token:
            request.add_unredirected_header("Authorization", f"Bearer {self.token}")
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as response:  # noqa: S310
                return int(response.status), bytes(response.read())
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        except (OSError, HTTPException) as error:  # urllib's own errors are OSErrors
            raise ServiceError(f"{request.full_url} cannot be reached: {error}.") from error


Test = Callable[[Client], None]
"""Smoke test, which raises ServiceError if the service does not work. The docstring is its purpose."""


def ready(client: Client) -> None:
    """Check that a model is loaded."""
    _version(client)


def backend(client: Client) -> None:
    """Check that a model is loaded and classifies a picture."""
    version = _version(client)
    status, body = client.post("/classify/", PICTURE.name, PICTURE.read_bytes())
    prediction = _parse(client, "/classify/", status, body)
    if not _is_prediction(prediction):
        raise ServiceError(f"{client.url}/classify/ responds {body[:200]!r}; expected a prediction.")
    if prediction.get("model_version") != version:
        # a version may be promoted between the requests; a retry passes
        raise ServiceError(f"{client.url} serves {version} but predicts with {prediction.get('model_version')}.")


def _version(client: Client) -> str:
    ready = "/v2/health/ready"  # not /readyz: Cloud Run keeps paths that end in z on public addresses
    _parse(client, ready, *client.get(ready))
    return str(_parse(client, "/model", *client.get("/model")).get("version"))


def _is_prediction(response: dict[str, Any]) -> bool:
    try:
        probabilities = response["probabilities"]
        add_up = math.isclose(sum(probabilities.values()), 1, abs_tol=0.01)
        return add_up and response["prediction"] in probabilities and bool(response["prediction_id"])
    except (LookupError, AttributeError, TypeError):
        return False


def page(client: Client) -> None:
    """Check that the page's server is healthy and serves the page."""
    for path, expected in (("/_stcore/health", b"ok"), ("/", b"<html")):
        status, body = client.get(path)
        if status != HTTPStatus.OK or expected not in body:
            raise _unexpected(client, path, status, body)


def report(client: Client) -> None:
    """Check that there is a summary, or nothing to report on yet."""
    path = "/generate_performance_report?format=json&days=1"
    status, body = client.get(path)
    if status == HTTPStatus.NOT_FOUND and b'"detail"' in body:
        return
    if "feedback" not in _parse(client, path, status, body):
        raise _unexpected(client, path, status, body)


def requires_token(client: Client) -> None:
    """Check that requests without a token are refused."""
    status, _ = Client(client.url, "").get("/")
    if status not in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise ServiceError(
            f"{client.url} responds {status} to a request without a token; expected 401 or 403. Check who has the role "
            "Cloud Run Invoker: gcloud run services get-iam-policy."
        )


def run_with_retries(test: Test, client: Client, *, seconds: float, pause: float) -> None:
    """Run a test until it passes: a new URL, permission or instance may take a while.

    Raises:
        ServiceError: the test did not pass within this time.
    """
    end = time.monotonic() + seconds
    while True:
        try:
            test(client)
        except ServiceError:
            if time.monotonic() + pause > end:
                raise
            time.sleep(pause)
        else:
            return


def _parse(client: Client, path: str, status: int, body: bytes) -> dict[str, Any]:
    """Return the JSON object of a response."""
    with contextlib.suppress(ValueError):
        if status == HTTPStatus.OK and isinstance(parsed := json.loads(body), dict):
            return parsed
    raise _unexpected(client, path, status, body)


def _unexpected(client: Client, path: str, status: int, body: bytes) -> ServiceError:
    return ServiceError(f"{client.url}{path} responds {status} {body[:200]!r}.")
