"""Whether a revision does what it is for: a few requests to its address."""

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
"""For one answer: an instance that starts for it takes some of that."""

PICTURE: Final = Path(__file__).parents[1] / "frontend" / "examples" / "cat.jpg"


@dataclass(frozen=True, slots=True)
class Asking:
    """A service, and how to ask it."""

    address: str
    token: str
    """Identity token; without one, it is asked as a stranger would."""

    def get(self, path: str) -> tuple[int, bytes]:
        """Status and body of an answer. Errors as for `send`."""
        return self.send(urllib.request.Request(f"{self.address}{path}"))  # noqa: S310 - the address is of Cloud Run

    def post(self, path: str, name: str, content: bytes) -> tuple[int, bytes]:
        """The same, with a file in the form field `file`."""
        boundary = uuid.uuid4().hex
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        body = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
        kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        return self.send(urllib.request.Request(f"{self.address}{path}", body, kind))  # noqa: S310

    def send(self, request: urllib.request.Request) -> tuple[int, bytes]:
        """Status and body of the answer.

        Raises:
            ServiceError: there is none.
        """
        if self.token:
            request.add_unredirected_header("Authorization", f"Bearer {self.token}")
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310
                return int(answer.status), bytes(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        except (OSError, HTTPException) as error:  # urllib's own errors are of the first kind
            raise ServiceError(f"{request.full_url} cannot be reached: {error}.") from error


Test = Callable[[Asking], None]
"""Raises ServiceError if the service does not do what it should."""


def ready(asking: Asking) -> None:
    """A model is loaded."""
    _version(asking)


def backend(asking: Asking) -> None:
    """A model is loaded, says its version, and classifies a picture with it."""
    version = _version(asking)
    status, body = asking.post("/classify/", PICTURE.name, PICTURE.read_bytes())
    answer = _parsed(asking, "/classify/", status, body)
    if not _is_classification(answer):
        raise ServiceError(f"{asking.address}/classify/ answers {body[:200]!r}, which is no classification.")
    if answer.get("model_version") != version:
        # a version may be promoted in between; the next attempt finds the new one on both
        raise ServiceError(f"{asking.address} says {version} and answers with {answer.get('model_version')}.")


def _is_classification(answer: dict[str, Any]) -> bool:
    try:
        probabilities = answer["probabilities"]
        whole = math.isclose(sum(probabilities.values()), 1, abs_tol=0.01)
        return whole and answer["prediction"] in probabilities and bool(answer["prediction_id"])
    except (LookupError, AttributeError, TypeError):
        return False


def page(asking: Asking) -> None:
    """The page's server is well, and gives out the page."""
    for path, wanted in (("/_stcore/health", b"ok"), ("/", b"<html")):
        status, body = asking.get(path)
        if status != HTTPStatus.OK or wanted not in body:
            raise _wrong(asking, path, status, body)


def report(asking: Asking) -> None:
    """There is a report in numbers, or nothing to report on yet."""
    path = "/generate_performance_report?format=json&days=1"
    status, body = asking.get(path)
    if status == HTTPStatus.NOT_FOUND and b'"detail"' in body:
        return
    if "feedback" not in _parsed(asking, path, status, body):
        raise _wrong(asking, path, status, body)


def refuses_strangers(asking: Asking) -> None:
    """Who has no token is not let in."""
    status, _ = Asking(asking.address, "").get("/")
    if status not in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise ServiceError(
            f"{asking.address} answers {status} to anybody, and should to none but who may invoke it. Look who has the "
            "role Cloud Run Invoker on it: gcloud run services get-iam-policy."
        )


def patiently(test: Test, asking: Asking, *, seconds: float, pause: float) -> None:
    """Test, again and again for so long: an address, a right or an instance may be there only in a moment.

    Raises:
        ServiceError: that of the last attempt.
    """
    end = time.monotonic() + seconds
    while True:
        try:
            test(asking)
        except ServiceError:
            if time.monotonic() + pause > end:
                raise
            time.sleep(pause)
        else:
            return


def _version(asking: Asking) -> str:
    _json(asking, "/v2/health/ready")  # not /readyz: Cloud Run keeps paths that end in z on public addresses
    return str(_json(asking, "/model").get("version"))


def _json(asking: Asking, path: str) -> dict[str, Any]:
    return _parsed(asking, path, *asking.get(path))


def _parsed(asking: Asking, path: str, status: int, body: bytes) -> dict[str, Any]:
    if status != HTTPStatus.OK:
        raise _wrong(asking, path, status, body)
    try:
        parsed = json.loads(body)
    except ValueError as error:
        raise _wrong(asking, path, status, body) from error
    if not isinstance(parsed, dict):
        raise _wrong(asking, path, status, body)
    return parsed


def _wrong(asking: Asking, path: str, status: int, body: bytes) -> ServiceError:
    return ServiceError(f"{asking.address}{path} answers {status} {body[:200]!r}.")
