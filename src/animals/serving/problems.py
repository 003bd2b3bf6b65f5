"""Errors become answers: one table says which error has which status, and each answer is a `Problem`."""

import math
from collections.abc import Callable, Coroutine, Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from animals.errors import AnimalsError, ModelError, NotAPicture, PictureTooLarge, StorageUnavailable
from animals.records import Problem

STATUS: Final[Mapping[type[AnimalsError], HTTPStatus]] = {
    NotAPicture: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    PictureTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    ModelError: HTTPStatus.SERVICE_UNAVAILABLE,
    StorageUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}

MEANING: Final[Mapping[int, str]] = {
    400: "The body is broken, or holds more than one picture.",
    413: "The request has too many bytes, or the picture too many pixels.",
    415: "The file is empty, damaged or no picture.",
    422: 'The field "file" is missing, or is no file.',
    503: "No model serves at the moment; `Retry-After` says when to try again.",
}

Handler = Callable[[Request, Any], Coroutine[Any, Any, Response]]


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route may answer besides its result, as FastAPI's `responses` wants it."""
    return {status: {"model": Problem, "description": MEANING[status]} for status in statuses}


def handlers() -> dict[int | type[Exception], Handler]:
    """For FastAPI's `exception_handlers`."""
    return {
        **dict.fromkeys(STATUS, _domain_error),
        RequestValidationError: _invalid,
        HTTPException: _http_error,
    }


def answer(status: int, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """A `Problem` as a response."""
    return JSONResponse(Problem(detail=detail).model_dump(), status, headers)


async def _domain_error(request: Request, error: AnimalsError) -> JSONResponse:
    status = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    wait = math.ceil(request.state.settings.reload_seconds)
    headers = {"Retry-After": str(wait)} if status == HTTPStatus.SERVICE_UNAVAILABLE else None
    return answer(status, str(error), headers)


async def _http_error(request: Request, error: HTTPException) -> JSONResponse:
    detail = error.detail
    if error.status_code == HTTPStatus.BAD_REQUEST:  # from reading the form
        detail = f"{detail.rstrip('.')}. {_how_to_send(request)}"
    return answer(error.status_code, detail, error.headers)


async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
    fields = ", ".join(f'"{problem["loc"][-1]}"' for problem in error.errors())
    detail = f"The field {fields} is missing or of another kind than expected. {_how_to_send(request)}"
    return answer(HTTPStatus.UNPROCESSABLE_ENTITY, detail)


def _how_to_send(request: Request) -> str:
    return f'Send one picture as the file of the multipart field "file": curl -F "file=@cat.jpg" {request.url}'
