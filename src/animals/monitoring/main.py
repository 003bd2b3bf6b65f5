"""The report function: `functions-framework --source src/animals/monitoring/main.py --target …`.

    GET /generate_performance_report                reports.zip, which the bucket keeps too
    GET /generate_performance_report?format=json    the summary alone, within a second or two
    GET /metrics                                    what the newest report found, for Prometheus
    GET /healthz                                    whether it is alive

`days=7` says how many days it is about, `version=` whose answers, by default those of the version that serves. On
Google Cloud the function's own address is the report's, without a path.
"""

import contextlib
import functools
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Annotated, Final, Literal

import flask
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from animals.api import Problem
from animals.config.settings import read_settings
from animals.errors import (
    AnimalsError,
    BrokenModel,
    BrokenRecords,
    Busy,
    NoModel,
    NothingToReport,
    StorageUnavailable,
)
from animals.monitoring.report import DAYS, MAX_DAYS, find, make_files, read_latest, store, zipped
from animals.monitoring.settings import AT_ONCE, ReportSettings
from animals.records import explain
from animals.storage import Storage, open_storage

logger = logging.getLogger("animals.monitoring")

REPORT: Final = "/generate_performance_report"

RETRY_SECONDS: Final = 5
"""After which it is worth trying again when the bucket is away."""

STORAGE_SECONDS: Final = 10.0
"""For which a request to the bucket is repeated: who asks would rather hear that it is away."""

STATUS: Final[Mapping[type[AnimalsError], HTTPStatus]] = {
    NoModel: HTTPStatus.NOT_FOUND,
    NothingToReport: HTTPStatus.NOT_FOUND,
    BrokenModel: HTTPStatus.CONFLICT,
    BrokenRecords: HTTPStatus.CONFLICT,
    Busy: HTTPStatus.SERVICE_UNAVAILABLE,
    StorageUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    AnimalsError: HTTPStatus.INTERNAL_SERVER_ERROR,  # a wrong setting
}

BUSY_SECONDS: Final = 15
"""About what a report takes."""

# two at once would take twice the memory and no less time
_reading = threading.Lock()
_drawing = threading.Lock()
_waiting = threading.BoundedSemaphore(AT_ONCE)


class _Query(BaseModel):
    """What may stand behind the question mark."""

    model_config = ConfigDict(extra="forbid")

    days: Annotated[int, Field(ge=1, le=MAX_DAYS)] = DAYS
    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)] | None = None
    format: Literal["zip", "json"] = "zip"


def generate_performance_report(request: flask.Request) -> flask.Response:
    """Answer one request."""
    route = ROUTES.get(request.path.rstrip("/"))
    if route is None:
        return _problem(HTTPStatus.NOT_FOUND, f"There is nothing at this address; the report is at {REPORT}.")
    if request.method != "GET":
        return _problem(HTTPStatus.METHOD_NOT_ALLOWED, "Only GET is answered here.", Allow="GET")
    return _answered(route, request)


def _answered(route: Callable[[flask.Request], flask.Response], request: flask.Request) -> flask.Response:
    """The route's answer, or the reason why there is none."""
    try:
        return route(request)
    except AnimalsError as error:
        status = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            logger.warning("%s", error)
        wait = error.wait if isinstance(error, Busy) else RETRY_SECONDS
        later = {"Retry-After": str(wait)} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
        return _problem(status, str(error), **later)


def _problem(status: HTTPStatus, detail: str, **headers: str) -> flask.Response:
    return flask.Response(Problem(detail=detail).model_dump_json(), status, headers, mimetype="application/json")


def _report(request: flask.Request) -> flask.Response:
    given = {name: values if len(values) > 1 else values[0] for name, values in request.args.lists()}
    try:
        query = _Query.model_validate(given)
    except ValidationError as error:
        possible = f"Possible are days=1 to days={MAX_DAYS}, version= and format=json."
        return _problem(HTTPStatus.BAD_REQUEST, f"{explain(error)}. {possible}")
    with _turn():
        return _make(_storage(), query)


@contextlib.contextmanager
def _turn() -> Iterator[None]:
    if not _waiting.acquire(blocking=False):
        raise Busy(f"{AT_ONCE} reports are being made or waited for. Try again in {BUSY_SECONDS} s.", BUSY_SECONDS)
    try:
        yield
    finally:
        _waiting.release()


def _make(storage: Storage, query: _Query) -> flask.Response:
    with _reading:
        found = find(storage, query.days, query.version)
    if query.format == "json":
        return flask.Response(found.summary.model_dump_json(), mimetype="application/json")
    with _drawing:
        files = make_files(found)
    store(storage, found.summary, files, latest=query.version is None and query.days == DAYS)
    name = {"Content-Disposition": "attachment; filename=reports.zip"}
    return flask.Response(zipped(files), headers=name, mimetype="application/zip")


def _metrics(_: flask.Request) -> flask.Response:
    from animals.monitoring.gauges import gauges

    return flask.Response(gauges(read_latest(_storage())), mimetype="text/plain")


def _healthz(_: flask.Request) -> flask.Response:
    return flask.Response('{"status":"ok"}', mimetype="application/json")


def _storage() -> Storage:
    return _open(read_settings(ReportSettings).bucket)


@functools.cache
def _open(url: str) -> Storage:
    return open_storage(url, retry_deadline=STORAGE_SECONDS)


ROUTES: Final[Mapping[str, Callable[[flask.Request], flask.Response]]] = {
    "": _report,
    REPORT: _report,
    "/metrics": _metrics,
    "/healthz": _healthz,
}
