"""Limit the bytes and the duration of a request's head; `limits.py` limits its body.

uvicorn reads heads of any length for any time. Cloud Run's proxy limits them too; elsewhere a few clients could fill
the memory, or hold connections forever.
"""

import asyncio
from http import HTTPStatus
from typing import ClassVar, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from animals.api import Problem

HEAD_BYTES: Final = 65_536
"""As much as the largest limits of proxies; browsers and clients send a tenth of it."""


class LimitedHttpProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, with limits for the head of each request."""

    seconds: ClassVar[float] = 10.0
    """From the first byte of a head to its end; for the first request, from the beginning of the connection."""

    _head_bytes = 0  # bytes of a head or trailer so far; negative after the end of one within a read
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the timer of the first head."""
        super().connection_made(transport)
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what was received, and refuse a head that is too long."""
        self._head_bytes = max(self._head_bytes, 0) + len(data)
        super().data_received(data)
        if self._head_bytes > HEAD_BYTES:
            self._refuse_head()

    def on_message_begin(self) -> None:
        """Start the timer of a head."""
        super().on_message_begin()
        self._start_timer()

    def on_headers_complete(self) -> None:
        """Stop the timer, and refuse a head that is too long."""
        self._head_bytes = 0
        self._stop_timer()
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > HEAD_BYTES:
            self._refuse_head()  # it came within one read
        else:
            super().on_headers_complete()

    def on_chunk_header(self) -> None:
        """Reset the count: what comes next belongs to the body."""
        self._head_bytes = 0

    def on_body(self, body: bytes) -> None:
        """Pass a part of the body on, which does not count as head."""
        self._head_bytes -= len(body)
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Pass the request on, unless it was refused."""
        if not self.transport.is_closing():
            super().on_message_complete()

    def _start_timer(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self.seconds, self._time_out)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _time_out(self) -> None:
        if self._head_bytes:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, f"The request's headers did not arrive within {self.seconds:g} s.")
        else:  # a connection that a browser opened in advance
            self.transport.close()

    def _refuse_head(self) -> None:
        reason = f"The request's headers have more than {HEAD_BYTES:,} bytes."
        self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, reason)

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        """Close the connection, with the reason unless a response may be under way already."""
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete:
            body = Problem(detail=reason).model_dump_json().encode()
            head = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\n"
            self.transport.write(f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        self.transport.close()
