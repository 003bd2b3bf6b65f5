"""Turn errors into responses: one table gives the status of each error, and the body of each is a `Problem`."""

import math
from collections.abc import Callable, Coroutine, Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Scope

from animals.api import BATCH_PATH, FEEDBACK_PATH, MAX_PICTURES, V2_PATH, Problem
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

CLIENT_CLOSED_REQUEST: Final = 499
"""nginx's status of a request whose client has disconnected; it is never sent."""

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
    400: "The body is broken, or has more than one picture.",
    401: "The service needs an API key, and the request has no valid one.",
    408: "The body did not arrive in time.",
    409: "Later feedback on the same prediction is stored already.",
    410: "The prediction id is too old.",
    413: "The request has too many bytes, or the picture too many pixels.",
    415: "The file is empty, damaged or no picture.",
    422: 'The field "file" is missing, or is no file.',
    429: "The client has sent too many requests; `Retry-After` says when to try again.",
    503: "No model serves, or too many requests are waiting; `Retry-After` says when to try again.",
}

MAX_NAMED_FIELDS: Final = 5
"""Wrong fields of a request that the message names."""

Handler = Callable[[Request, Any], Coroutine[Any, Any, Response]]


def documented(*statuses: int, meaning: Mapping[int, str] = MEANING) -> dict[int | str, dict[str, Any]]:
    """Return FastAPI's `responses` for a route's errors, with their meaning there."""
    return {status: {"model": Problem, "description": {**MEANING, **meaning}[status]} for status in statuses}


def problem_response(scope: Scope, status: int, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return a `Problem` as a response, below /v2 in the form of the Open Inference Protocol."""
    # the detail may quote the client's text, in which half a character cannot be encoded
    detail = detail.encode(errors="replace").decode()
    is_v2 = f"{scope['path']}/".startswith(f"{V2_PATH}/")
    return JSONResponse({"error" if is_v2 else "detail": detail}, status, headers)


async def _domain_error(request: Request, error: AnimalsError) -> JSONResponse:
    status = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    wait = error.wait if isinstance(error, Busy) else math.ceil(request.state.settings.reload_seconds)
    headers = {"Retry-After": str(wait)} if status == HTTPStatus.SERVICE_UNAVAILABLE else None
    return problem_response(request.scope, status, str(error), headers)


async def _http_error(request: Request, error: HTTPException) -> JSONResponse:
    detail = error.detail
    if error.status_code == HTTPStatus.BAD_REQUEST:  # from reading the form
        detail = f"{detail.rstrip('.')}. {_how_to_send(request)}"
    return problem_response(request.scope, error.status_code, detail, error.headers)


async def _validation_error(request: Request, error: RequestValidationError) -> JSONResponse:
    problems = [problem for problem in error.errors() if problem["type"] != "json_invalid"]
    fields = [f'"{problem["loc"][-1]}"' for problem in problems if problem["loc"][1:]]  # the body as a whole has none
    subject = f"The field {', '.join(fields[:MAX_NAMED_FIELDS])}" if fields else "The body"
    detail = f"{subject} is missing or has the wrong type. {_how_to_send(request)}"
    return problem_response(request.scope, HTTPStatus.UNPROCESSABLE_ENTITY, detail)


def _how_to_send(request: Request) -> str:
    path = request.scope["path"]
    if path == FEEDBACK_PATH:
        body = """'{"x": "label", "prediction_id": "…"}'"""
        return f"Send a label and a prediction id as JSON: curl --json {body} {request.url}"
    if path == BATCH_PATH:
        files = '-F "files=@one.jpg" -F "files=@two.jpg"'
        return f'Send up to {MAX_PICTURES} pictures, each as a multipart field "files": curl {files} {request.url}'
    return f'Send one picture as the file of the multipart field "file": curl -F "file=@picture.jpg" {request.url}'


HANDLERS: Final[dict[int | type[Exception], Handler]] = {
    **dict.fromkeys(STATUS, _domain_error),
    RequestValidationError: _validation_error,
    HTTPException: _http_error,
}
"""FastAPI's `exception_handlers`."""
