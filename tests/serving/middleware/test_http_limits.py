"""Heads of requests that never end, are much too long, or trickle."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from animals.api import Problem
from animals.serving.middleware.http_limits import HEAD_BYTES, LimitedHttpProtocol
from tests.support.published import until

GET = b"GET / HTTP/1.1\r\nHost: here\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n"


class Impatient(LimitedHttpProtocol):
    seconds = 0.3


async def app(_: Scope, receive: Receive, send: Send) -> None:
    """Reads the whole body and answers with its length."""
    length = 0
    while True:
        message = await receive()
        length += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    body = str(length).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, http=Impatient, ws="none", lifespan="off", log_config=None))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    until(lambda: server.started)
    yield listener.getsockname()
    server.should_exit = True
    thread.join()


@pytest.fixture
def client(address: tuple[str, int]) -> Iterator[socket.socket]:
    with closing(socket.create_connection(address, timeout=10)) as connection:
        yield connection


def rest(client: socket.socket) -> bytes:
    parts = []
    with suppress(ConnectionResetError):  # it may hang up before it has read all
        while part := client.recv(65_536):
            parts.append(part)
    return b"".join(parts)


def send_until_refused(client: socket.socket, part: Callable[[int], bytes]) -> int:
    """How many bytes could be sent, of thirty million."""
    sent = 0
    with suppress(ConnectionError):
        for number in range(3000):
            client.sendall(part(number))
            sent += 10_000
    return sent


def refusal(answer: bytes, status: bytes) -> str:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 " + status), answer
    assert b"Connection: close" in head
    return Problem.model_validate_json(body).detail


def line(_: int) -> bytes:
    return b"a" * 10_000


def headers(number: int) -> bytes:
    return b"".join(b"X-%04d-%04d: a\r\n" % (number, place) for place in range(625))


@pytest.mark.parametrize("endless", [line, headers])
@pytest.mark.parametrize("start", [b"GET /", GET, GET + b"X-Long: "])
def test_a_head_without_end_is_cut_off(client: socket.socket, start: bytes, endless: Callable[[int], bytes]) -> None:
    client.sendall(start)
    assert send_until_refused(client, endless) < 30_000_000


def test_a_head_that_is_too_long_is_told_so(client: socket.socket) -> None:
    client.sendall(GET + b"X-Long: " + b"a" * HEAD_BYTES)
    assert "more than 65,536 bytes" in refusal(rest(client), b"431")


@pytest.mark.parametrize("body", [b"", b"aaa"])
def test_a_head_that_is_too_long_and_comes_at_once_is_told_so_too(client: socket.socket, body: bytes) -> None:
    length = b"Content-Length: %d\r\n" % len(body)
    client.sendall(GET + length + b"X-Long: " + b"a" * HEAD_BYTES + b"\r\n\r\n" + body)
    assert "more than 65,536 bytes" in refusal(rest(client), b"431")


def test_a_long_head_passes(client: socket.socket) -> None:
    client.sendall(GET + b"X-Long: " + b"a" * 60_000 + b"\r\n\r\n")
    assert client.recv(1000).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("endless", [line, headers])
def test_what_follows_a_body_without_end_is_cut_off(client: socket.socket, endless: Callable[[int], bytes]) -> None:
    client.sendall(CHUNKED + b"1\r\na\r\n0\r\nX-Trailer: ")
    assert send_until_refused(client, endless) < 30_000_000
    assert rest(client) == b""


def test_a_body_in_many_small_parts_passes(client: socket.socket) -> None:
    client.sendall(CHUNKED + b"1\r\na\r\n" * 30_000 + b"0\r\n\r\n")
    assert client.recv(1000).endswith(b"30000")


def test_a_large_body_passes(client: socket.socket) -> None:
    client.sendall(b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 3000000\r\n\r\n" + b"a" * 3_000_000)
    assert client.recv(1000).endswith(b"3000000")


def test_a_head_that_trickles_is_told_so(client: socket.socket) -> None:
    client.sendall(GET)
    assert "did not arrive within 0.3 s" in refusal(rest(client), b"408")


def test_a_second_head_that_trickles_is_told_so_too(client: socket.socket) -> None:
    client.sendall(GET + b"\r\n")
    assert client.recv(1000).startswith(b"HTTP/1.1 200")
    client.sendall(GET)
    assert "did not arrive within 0.3 s" in refusal(rest(client), b"408")


def test_a_connection_that_asks_nothing_is_closed_without_a_word(client: socket.socket) -> None:
    assert rest(client) == b""


def test_a_body_may_take_longer_than_a_head(client: socket.socket) -> None:
    client.sendall(b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 2\r\n\r\na")
    client.settimeout(0.6)
    with pytest.raises(TimeoutError):
        client.recv(1000)
    client.sendall(b"b")
    assert client.recv(1000).endswith(b"2")
