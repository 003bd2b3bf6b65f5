"""Errors become answers: one table says which error has which status, and each answer is a `Problem`."""

import math
from collections.abc import Callable, Coroutine, Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from animals.api import Problem
from animals.errors import (
    AnimalsError,
    Busy,
    ClientGone,
    ExpiredToken,
    InvalidToken,
    ModelError,
    NotAPicture,
    ObjectChanged,
    PictureTooLarge,
    StorageUnavailable,
    WrongFeedback,
    WrongRequest,
)

PROTOCOL: Final = "/v2"
"""Where the Open Inference Protocol is spoken; `open_inference.py`."""

BATCH: Final = "/classify/batch"
"""Where several pictures are answered at once; `batch.py`."""

FEEDBACK: Final = "/post_data"
"""Where answers are judged; `feedback.py`."""

MAX_PICTURES: Final = 64
"""In one request."""

CLIENT_CLOSED_REQUEST: Final = 499
"""What nginx notes for a request that nobody waits for any more; it is never sent."""

STATUS: Final[Mapping[type[AnimalsError], int]] = {
    NotAPicture: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    PictureTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    ModelError: HTTPStatus.SERVICE_UNAVAILABLE,
    StorageUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    ObjectChanged: HTTPStatus.CONFLICT,
    InvalidToken: HTTPStatus.BAD_REQUEST,
    ExpiredToken: HTTPStatus.GONE,
    WrongFeedback: HTTPStatus.UNPROCESSABLE_ENTITY,
    WrongRequest: HTTPStatus.BAD_REQUEST,
    Busy: HTTPStatus.SERVICE_UNAVAILABLE,
    ClientGone: CLIENT_CLOSED_REQUEST,
}

MEANING: Final[Mapping[int, str]] = {
    400: "The body is broken, or holds more than one picture.",
    401: "The service asks for an API key, and the request has none that it knows.",
    408: "The body did not come within the time allowed.",
    409: "A later judgement of the same answer is stored already.",
    410: "The prediction id is too old.",
    413: "The request has too many bytes, or the picture too many pixels.",
    415: "The file is empty, damaged or no picture.",
    422: 'The field "file" is missing, or is no file.',
    429: "The client has sent more requests than it may; `Retry-After` says when to try again.",
    503: "No model serves, or more is waiting than can be answered in time; `Retry-After` says when to try again.",
}

NAMED: Final = 5
"""Fields of a request that are named, if more are wrong."""

Handler = Callable[[Request, Any], Coroutine[Any, Any, Response]]


def documented(*statuses: int, meaning: Mapping[int, str] = MEANING) -> dict[int | str, dict[str, Any]]:
    """What a route may answer besides its result, as FastAPI's `responses` wants it; with what it means there."""
    return {status: {"model": Problem, "description": {**MEANING, **meaning}[status]} for status in statuses}


def handlers() -> dict[int | type[Exception], Handler]:
    """For FastAPI's `exception_handlers`."""
    return {
        **dict.fromkeys(STATUS, _domain_error),
        RequestValidationError: _invalid,
        HTTPException: _http_error,
    }


class _Refusal(JSONResponse):
    """A `Problem`; below /v2 in the form of the protocol that is spoken there, whoever it is that refuses."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None) -> None:
        super().__init__(Problem(detail=detail).model_dump(), status, headers)
        self.detail = detail

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == PROTOCOL or scope["path"].startswith(f"{PROTOCOL}/"):
            self.body = self.render({"error": self.detail})
            self.headers["content-length"] = str(len(self.body))
        await super().__call__(scope, receive, send)


def answer(status: int, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """A `Problem` as a response."""
    # it may name what a client sent, and half a character in JSON is none that could be sent back
    return _Refusal(status, detail.encode(errors="replace").decode(), headers)


async def _domain_error(request: Request, error: AnimalsError) -> JSONResponse:
    status = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    wait = error.wait if isinstance(error, Busy) else math.ceil(request.state.settings.reload_seconds)
    headers = {"Retry-After": str(wait)} if status == HTTPStatus.SERVICE_UNAVAILABLE else None
    return answer(status, str(error), headers)


async def _http_error(request: Request, error: HTTPException) -> JSONResponse:
    detail = error.detail
    if error.status_code == HTTPStatus.BAD_REQUEST:  # from reading the form
        detail = f"{detail.rstrip('.')}. {_how_to_send(request)}"
    return answer(error.status_code, detail, error.headers)


async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
    problems = [problem for problem in error.errors() if problem["type"] != "json_invalid"]
    fields = [f'"{problem["loc"][-1]}"' for problem in problems if problem["loc"][1:]]  # the body as a whole has none
    what = f"The field {', '.join(fields[:NAMED])}" if fields else "The body"
    detail = f"{what} is missing or of another kind than expected. {_how_to_send(request)}"
    return answer(HTTPStatus.UNPROCESSABLE_ENTITY, detail)


def _how_to_send(request: Request) -> str:
    path = request.url.path.rstrip("/")
    if path == FEEDBACK:
        fields = """'{"x": "label", "prediction_id": "…"}'"""
        return f"Send a label and the id of an answer as JSON: curl --json {fields} {request.url}"
    if path == BATCH:
        fields = '-F "files=@one.jpg" -F "files=@two.jpg"'
        return f'Send up to {MAX_PICTURES} pictures, each as a multipart field "files": curl {fields} {request.url}'
    return f'Send one picture as the file of the multipart field "file": curl -F "file=@picture.jpg" {request.url}'
