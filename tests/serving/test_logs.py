import json
import logging
import logging.config
import os
import sys
from collections.abc import Mapping
from io import StringIO

import pytest
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from animals.config.settings import read_settings
from animals.serving.logs import CloudFormatter, TraceMiddleware, log_config, trace_id
from animals.serving.settings import BackendSettings

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}, TRACE),
        ({"X-Cloud-Trace-Context": f"{TRACE}/123;o=1"}, TRACE),
        ({"X-Cloud-Trace-Context": TRACE}, TRACE),
        ({}, None),
        ({"traceparent": "rubbish"}, None),
        ({"X-Cloud-Trace-Context": f"{TRACE}0/1"}, None),
        ({"X-Cloud-Trace-Context": f"{TRACE[:-1]}\n/1"}, None),
    ],
)
def test_the_trace_is_read_from_either_header(headers: Mapping[str, str], expected: str | None) -> None:
    assert trace_id(Headers(headers)) == expected


def answered_lines(formatter: logging.Formatter, headers: Mapping[str, str]) -> list[dict[str, str]]:
    """What is logged while a request is answered, and one line after it."""
    written = StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(formatter)
    logger = logging.getLogger("test of logs")
    logger.addHandler(handler)

    def answer(_: Request) -> PlainTextResponse:
        logger.warning("two\nlines of %s", "it")
        return PlainTextResponse("")

    app = Starlette(routes=[Route("/", answer)], middleware=[Middleware(TraceMiddleware)])
    with TestClient(app) as client:
        client.get("/", headers=headers)
        client.get("/")
    logger.removeHandler(handler)
    return [json.loads(line) for line in written.getvalue().splitlines()]


def test_a_line_in_the_cloud_is_json_with_the_trace_of_its_request() -> None:
    inside, after = answered_lines(CloudFormatter("my-project"), {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"})
    assert inside["severity"] == "WARNING"
    assert inside["message"] == "two\nlines of it"
    assert inside["time"].endswith("+00:00")
    assert inside["logging.googleapis.com/trace"] == f"projects/my-project/traces/{TRACE}"
    assert "logging.googleapis.com/trace" not in after


def test_without_a_project_the_trace_is_given_alone() -> None:
    inside, _ = answered_lines(CloudFormatter(None), {"X-Cloud-Trace-Context": f"{TRACE}/1;o=1"})
    assert inside["logging.googleapis.com/trace"] == TRACE


def test_an_error_has_its_traceback_in_a_field_of_its_own() -> None:
    try:
        os.environ["LOST"]
    except KeyError:
        record = logging.LogRecord("x", logging.ERROR, "f", 1, "It failed", (), sys.exc_info())
    entry = json.loads(CloudFormatter(None).format(record))
    assert (entry["severity"], entry["message"]) == ("ERROR", "It failed")
    assert entry["stack_trace"].startswith("It failed\nTraceback")
    assert "KeyError: 'LOST'" in entry["stack_trace"]


def test_a_line_about_a_request_has_the_fields_that_cloud_logging_shows_as_one() -> None:
    request = {"requestMethod": "GET", "requestUrl": "/model", "status": 200, "latency": "0.001000s"}
    record = logging.makeLogRecord({"levelname": "INFO", "msg": "GET /model 200", "httpRequest": request})
    entry = json.loads(CloudFormatter(None).format(record))
    assert entry["httpRequest"] == request
    assert "stack_trace" not in entry


@pytest.mark.parametrize("service", ["", "backend"])
def test_the_lines_are_json_on_cloud_run_only(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("K_SERVICE", service)
    config = log_config(read_settings(BackendSettings))
    formatter = logging.config.DictConfigurator(config).configure_formatter(config["formatters"]["line"])
    assert isinstance(formatter, logging.Formatter)
    line = formatter.format(logging.LogRecord("x", logging.INFO, "f", 1, "said", (), None))
    assert line.startswith("{") == bool(service)
    assert "said" in line
