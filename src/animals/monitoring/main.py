"""The report function: `functions-framework --source src/animals/monitoring/main.py --target …`.

    GET /generate_performance_report                reports.zip, which is stored in the bucket too
    GET /generate_performance_report?format=json    only the summary, within a second or two
    GET /metrics                                    the newest report as metrics for Prometheus
    GET /healthz                                    liveness

`days=7` sets the length of the period, `version=` the version, by default the served one. On Google Cloud the report is
at the function's own address, without a path.
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
from animals.monitoring.report import DAYS, MAX_DAYS, build_report, make_files, read_latest, store, zip_files
from animals.monitoring.settings import MAX_REPORTS, ReportSettings
from animals.records import explain
from animals.storage import Storage, open_storage

logger = logging.getLogger("animals.monitoring")

REPORT: Final = "/generate_performance_report"

RETRY_SECONDS: Final = 5
"""Retry-After if the bucket cannot be reached."""

STORAGE_SECONDS: Final = 10.0
"""Time for which a failed request to the bucket is retried: the client should not wait longer for an error."""

STATUS: Final[Mapping[type[AnimalsError], HTTPStatus]] = {
    NoModel: HTTPStatus.NOT_FOUND,
    NothingToReport: HTTPStatus.NOT_FOUND,
    BrokenModel: HTTPStatus.CONFLICT,
    BrokenRecords: HTTPStatus.CONFLICT,
    Busy: HTTPStatus.SERVICE_UNAVAILABLE,
    StorageUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    AnimalsError: HTTPStatus.INTERNAL_SERVER_ERROR,  # an impossible setting
}

BUSY_SECONDS: Final = 15
"""Retry-After if there are too many requests: about the time that a report takes."""

# two at a time would take twice the memory and no less time
_reading = threading.Lock()
_rendering = threading.Lock()
_slots = threading.BoundedSemaphore(MAX_REPORTS)


class _Query(BaseModel):
    """Query parameters of a report."""

    model_config = ConfigDict(extra="forbid")

    days: Annotated[int, Field(ge=1, le=MAX_DAYS)] = DAYS
    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)] | None = None
    format: Literal["zip", "json"] = "zip"


def generate_performance_report(request: flask.Request) -> flask.Response:
    """Respond to a request."""
    route = ROUTES.get(request.path.rstrip("/"))
    if route is None:
        return _problem(HTTPStatus.NOT_FOUND, f"There is nothing at this path; the report is at {REPORT}.")
    if request.method != "GET":
        return _problem(HTTPStatus.METHOD_NOT_ALLOWED, "Only GET is allowed.", Allow="GET")
    try:
        return route(request)
    except AnimalsError as error:
        status = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            logger.warning("%s", error)
        wait = error.wait if isinstance(error, Busy) else RETRY_SECONDS
        headers = {"Retry-After": str(wait)} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
        return _problem(status, str(error), **headers)


def _problem(status: HTTPStatus, detail: str, **headers: str) -> flask.Response:
    return flask.Response(Problem(detail=detail).model_dump_json(), status, headers, mimetype="application/json")


def _report(request: flask.Request) -> flask.Response:
    parameters = {name: values if len(values) > 1 else values[0] for name, values in request.args.lists()}
    try:
        query = _Query.model_validate(parameters)
    except ValidationError as error:
        expected = f"Expected days=1 to days={MAX_DAYS}, version= or format=json."
        return _problem(HTTPStatus.BAD_REQUEST, f"{explain(error)}. {expected}")
    with _slot():
        return _make_report(_storage(), query)


@contextlib.contextmanager
def _slot() -> Iterator[None]:
    if not _slots.acquire(blocking=False):
        raise Busy(f"{MAX_REPORTS} reports are being made. Try again in {BUSY_SECONDS} s.", BUSY_SECONDS)
    try:
        yield
    finally:
        _slots.release()


def _make_report(storage: Storage, query: _Query) -> flask.Response:
    with _reading:
        report = build_report(storage, query.days, query.version)
    if query.format == "json":
        return flask.Response(report.summary.model_dump_json(), mimetype="application/json")
    with _rendering:
        files = make_files(report)
    store(storage, report.summary, files, latest=query.version is None and query.days == DAYS)
    headers = {"Content-Disposition": "attachment; filename=reports.zip"}
    return flask.Response(zip_files(files), headers=headers, mimetype="application/zip")


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
