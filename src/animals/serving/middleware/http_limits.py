"""How much of a request's head is read, and for how long; what follows it is the matter of `limits.py`.

uvicorn reads heads of any length for any time. Behind Cloud Run's proxy nobody can use that; elsewhere a few clients
would fill the memory, or hold connections for ever.
"""

import asyncio
from http import HTTPStatus
from typing import ClassVar, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from animals.api import Problem

HEAD_BYTES: Final = 65_536
"""As long as all that proxies let pass together; browsers and clients send a tenth of it."""


class Connection(HttpToolsProtocol):
    """uvicorn's connection, with limits for the head of each request."""

    seconds: ClassVar[float] = 10.0
    """From its first byte to the end of the head; on a new connection from its beginning."""

    _unread = 0  # bytes of a head, or of what stands between the chunks of a body or after them
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, if the head is not too long by now."""
        self._unread = max(self._unread, 0) + len(data)
        super().data_received(data)
        if self._unread > HEAD_BYTES:
            self._refuse_head()

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._start_timer()

    def on_headers_complete(self) -> None:
        """A head ends; a body may follow."""
        self._unread = 0
        self._stop_timer()
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > HEAD_BYTES:
            self._refuse_head()  # it came within one read
        else:
            super().on_headers_complete()

    def on_chunk_header(self) -> None:
        """Another part of the body begins."""
        self._unread = 0

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._unread -= len(body)
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        if not self.transport.is_closing():
            super().on_message_complete()

    def _start_timer(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self.seconds, self._too_slow)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        if self._unread:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, f"The request's headers did not come within {self.seconds:g} s.")
        else:  # a browser's connection in reserve
            self.transport.close()

    def _refuse_head(self) -> None:
        reason = f"The request's headers have more than {HEAD_BYTES:,} bytes."
        self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, reason)

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        """Say why and hang up; without a word if an answer may be under way already."""
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete:
            body = Problem(detail=reason).model_dump_json().encode()
            head = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\n"
            self.transport.write(f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        self.transport.close()
