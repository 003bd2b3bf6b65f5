"""The requests by which a deployment finds out whether a revision does what it is for."""

import contextlib
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from animals.cloud import smoke
from animals.cloud.smoke import Client
from animals.errors import ServiceError
from tests.support.cloud_run import TOKEN, CloudRunProxy
from tests.support.emulator import free_port
from tests.support.findings import summary
from tests.support.http import HOST, Response, json_response
from tests.support.process import FRONTEND, running
from tests.support.stand_in import StandIn


def test_a_backend_that_serves_passes(backend: int) -> None:
    with CloudRunProxy(backend) as front:
        smoke.backend(Client(front.url, TOKEN))
        assert front.seen == [("/v2/health/ready", 200), ("/model", 200), ("/classify/", 200)]


@pytest.mark.parametrize("path", ["/v2/health/ready", "/model", "/classify/"])
def test_a_backend_that_fails_at_one_path_does_not_pass(backend: int, path: str) -> None:
    with CloudRunProxy(backend) as front:
        front.broken[path] = 500
        with pytest.raises(ServiceError, match=f"{path} responds 500 b'broken by the test'"):
            smoke.backend(Client(front.url, TOKEN))


GOOD = {
    "filename": "cat.jpg",
    "confidence": 0.9,
    "prediction": "cat",
    "probabilities": {"cat": 0.9, "dog": 0.1},
    "prediction_id": "x",
    "model_version": "r1",
}


@pytest.mark.parametrize(
    "answer",
    [
        GOOD | {"prediction": "cow"},
        GOOD | {"probabilities": {"cat": 0.9, "dog": 0.9}},
        GOOD | {"probabilities": None},
        GOOD | {"probabilities": {"cat": "0.9", "dog": "0.1"}},
        GOOD | {"prediction_id": ""},
        GOOD | {"model_version": "r2"},
        ["cat"],
        "<html>",
    ],
)
def test_a_response_that_is_not_a_prediction_does_not_pass(answer: object) -> None:
    with StandIn() as service:
        service.responses = {"/v2/health/ready": [json_response({})], "/model": [json_response({"version": "r1"})]}
        text = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
        service.responses["/classify/"] = [Response(200, text)]
        with pytest.raises(ServiceError):
            smoke.backend(Client(service.url, TOKEN))
        service.responses["/classify/"] = [json_response(GOOD)]
        smoke.backend(Client(service.url, TOKEN))


def test_the_real_page_passes(tmp_path: Path) -> None:
    port = free_port()
    with running(tmp_path, *FRONTEND, PORT=str(port)) as process:
        process.wait_until_ready(f"http://{HOST}:{port}/_stcore/health")
        smoke.page(Client(f"http://{HOST}:{port}", ""))


@pytest.mark.parametrize("health", [Response(503, b"unavailable"), Response(200, b"<html>another server")])
def test_an_unhealthy_page_does_not_pass(health: Response) -> None:
    with StandIn() as service:
        service.responses = {"/_stcore/health": [health], "/": [Response(200, b"<html>")]}
        with pytest.raises(ServiceError, match="/_stcore/health responds"):
            smoke.page(Client(service.url, TOKEN))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (json_response(summary()), contextlib.nullcontext()),
        (json_response({"detail": "Nothing was answered or judged yet."}, 404), contextlib.nullcontext()),
        (Response(404, b"<html>Google knows no such page"), pytest.raises(ServiceError)),
        (json_response({"detail": "The bucket cannot be reached."}, 503), pytest.raises(ServiceError)),
        (json_response({"version": "r1"}), pytest.raises(ServiceError)),
    ],
)
def test_a_report_or_nothing_to_report_passes(answer: Response, expected: AbstractContextManager[object]) -> None:
    with StandIn() as service, expected:
        service.responses = {"/generate_performance_report": [answer]}
        smoke.report(Client(service.url, TOKEN))


def test_a_service_that_needs_no_token_does_not_pass(backend: int) -> None:
    with CloudRunProxy(backend) as front:
        smoke.requires_token(Client(front.url, TOKEN))
        front.public = True
        with pytest.raises(ServiceError, match="responds 200 to a request without a token"):
            smoke.requires_token(Client(front.url, TOKEN))


def test_a_service_that_does_not_speak_http_or_listen_cannot_be_reached() -> None:
    def answer(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor() as pool:
        pool.submit(answer, server)
        client = Client(f"http://127.0.0.1:{server.getsockname()[1]}", TOKEN)
        with pytest.raises(ServiceError, match="cannot be reached"):
            smoke.page(client)
    with pytest.raises(ServiceError, match="cannot be reached"):
        smoke.page(client)


def test_a_failed_test_is_repeated_for_a_while() -> None:
    with StandIn() as service:
        service.responses = {
            "/_stcore/health": [Response(404), Response(403), Response(200, b"ok")],
            "/": [Response(200, b"<html>")],
        }
        smoke.run_with_retries(smoke.page, Client(service.url, TOKEN), seconds=5, pause=0.01)
        assert len(service.received("/_stcore/health")) == 3
        service.responses["/_stcore/health"] = [Response(404)]
        start = time.monotonic()
        with pytest.raises(ServiceError):
            smoke.run_with_retries(smoke.page, Client(service.url, TOKEN), seconds=0.2, pause=0.05)
        assert 0.1 < time.monotonic() - start < 5


def test_a_token_goes_to_no_other_host_than_the_one_that_was_asked() -> None:
    with StandIn() as other, StandIn() as service:
        other.responses = {"/": [Response(200, b"ok")]}
        service.responses = {"/": [Response(302, b"", {"Location": f"{other.url}/"})]}
        Client(service.url, TOKEN).get("/")
        assert service.requests[0].headers["Authorization"] == f"Bearer {TOKEN}"
        assert "Authorization" not in other.requests[0].headers
