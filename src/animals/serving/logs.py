"""Log lines: plain ones for a terminal, JSON as Cloud Logging understands it on Cloud Run."""

import json
import logging
import re
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from animals.serving.settings import BackendSettings

_trace: ContextVar[str | None] = ContextVar("trace", default=None)

# https://cloud.google.com/trace/docs/trace-context: the trace's id is 32 hexadecimal digits in both headers
_TRACE_HEADERS: Final = {
    "traceparent": re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-"),
    "x-cloud-trace-context": re.compile(r"([0-9a-f]{32})(?:/|$)"),
}


def trace_id(headers: Headers) -> str | None:
    """The trace that a request belongs to, where its headers say so."""
    for name, pattern in _TRACE_HEADERS.items():
        if found := pattern.match(headers.get(name, "")):
            return found[1]
    return None


class TraceMiddleware:
    """Notes each request's trace, so that its log lines are found together."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] == "http":
            _trace.set(trace_id(Headers(scope=scope)))
        await self._app(scope, receive, send)


class CloudFormatter(logging.Formatter):
    """One JSON object a line.

    Args:
        project: the Google Cloud project that keeps the traces.
    """

    def __init__(self, project: str | None) -> None:
        super().__init__()
        self._prefix = f"projects/{project}/traces/" if project else ""

    def format(self, record: logging.LogRecord) -> str:
        """The record as Cloud Logging's fields; a traceback has one of its own, where Error Reporting looks first."""
        entry: dict[str, Any] = {
            "severity": record.levelname,
            "message": record.getMessage(),
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "logger": record.name,
        }
        if record.exc_info:
            entry["stack_trace"] = f"{entry['message']}\n{self.formatException(record.exc_info)}"
        if request := getattr(record, "httpRequest", None):
            entry["httpRequest"] = request
        if trace := _trace.get():
            entry["logging.googleapis.com/trace"] = self._prefix + trace
        return json.dumps(entry)


def log_config(settings: BackendSettings) -> dict[str, Any]:
    """What `logging.config.dictConfig` wants to hear: every logger, uvicorn's too, writes through one handler."""
    plain = {"()": "uvicorn.logging.DefaultFormatter", "fmt": "%(levelprefix)s %(message)s"}
    cloud = {"()": CloudFormatter, "project": settings.project}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": cloud if settings.in_cloud else plain},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "loggers": {"python_multipart": {"level": "ERROR"}},  # a broken body is its sender's to hear of
        "root": {"level": "INFO", "handlers": ["stderr"]},
    }
