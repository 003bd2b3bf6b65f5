"""Log lines: plain text in a terminal, JSON for Cloud Logging on Cloud Run."""

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
    """Return the trace id in a request's headers, if there is one."""
    for name, pattern in _TRACE_HEADERS.items():
        if match := pattern.match(headers.get(name, "")):
            return match[1]
    return None


class TraceMiddleware:
    """ASGI middleware that adds each request's trace id to its log lines."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Store the trace id, and pass the request on."""
        if scope["type"] == "http":
            _trace.set(trace_id(Headers(scope=scope)))
        await self._app(scope, receive, send)


class CloudFormatter(logging.Formatter):
    """Formatter that writes one JSON object per line; the project is the one that keeps the traces."""

    def __init__(self, project: str | None) -> None:
        super().__init__()
        self._prefix = f"projects/{project}/traces/" if project else ""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as Cloud Logging's fields; Error Reporting reads a traceback from `stack_trace`."""
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
    """Return the configuration for `logging.config.dictConfig`: one handler for all loggers, uvicorn's too."""
    plain = {"()": "uvicorn.logging.DefaultFormatter", "fmt": "%(levelprefix)s %(message)s"}
    cloud = {"()": CloudFormatter, "project": settings.project}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": cloud if settings.in_cloud else plain},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "loggers": {"python_multipart": {"level": "ERROR"}},  # a broken body is the client's fault
        "root": {"level": "INFO", "handlers": ["stderr"]},
    }
