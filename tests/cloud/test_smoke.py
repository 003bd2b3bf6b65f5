"""The requests by which a deployment finds out whether a revision does what it is for."""

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from animals.cloud import smoke
from animals.cloud.smoke import Client
from animals.errors import ServiceError
from tests.support.cards import make_card
from tests.support.cloud_run import TOKEN, Front
from tests.support.emulator import free_port
from tests.support.findings import summary
from tests.support.http import HOST, Response, json_response
from tests.support.process import FRONTEND, running
from tests.support.stand_in import StandIn


def test_a_backend_that_serves_passes(backend: int) -> None:
    with Front(backend) as front:
        smoke.backend(Client(front.url, TOKEN))
        assert front.seen == [("/v2/health/ready", 200), ("/model", 200), ("/classify/", 200)]


@pytest.mark.parametrize("path", ["/v2/health/ready", "/model", "/classify/"])
def test_a_backend_that_fails_somewhere_does_not(backend: int, path: str) -> None:
    with Front(backend) as front:
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
    card = make_card()
    model = {**card.model_dump(mode="json"), "promoted": "2026-11-24T08:00:00Z", "unknown_below": 0}
    with StandIn() as service:
        service.responses = {"/v2/health/ready": [json_response({})], "/model": [json_response(model)]}
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
def test_a_page_that_is_not_well_does_not_pass(health: Response) -> None:
    with StandIn() as service:
        service.responses = {"/_stcore/health": [health], "/": [Response(200, b"<html>")]}
        with pytest.raises(ServiceError, match="/_stcore/health responds"):
            smoke.page(Client(service.url, TOKEN))


@pytest.mark.parametrize(
    ("answer", "passes"),
    [
        (json_response(summary()), True),
        (json_response({"detail": "Nothing was answered or judged yet."}, 404), True),
        (Response(404, b"<html>Google knows no such page"), False),
        (json_response({"detail": "The bucket cannot be reached."}, 503), False),
        (json_response({"version": "r1"}), False),
    ],
)
def test_a_report_or_nothing_to_report_passes(answer: Response, passes: bool) -> None:
    with StandIn() as service:
        service.responses = {"/generate_performance_report": [answer]}
        if passes:
            smoke.report(Client(service.url, TOKEN))
            return
        with pytest.raises(ServiceError):
            smoke.report(Client(service.url, TOKEN))


def test_a_service_that_lets_strangers_in_does_not_pass(backend: int) -> None:
    with Front(backend) as front:
        smoke.requires_token(Client(front.url, TOKEN))
    with (
        Front(backend, public=True) as front,
        pytest.raises(ServiceError, match="responds 200 to a request without a token"),
    ):
        smoke.requires_token(Client(front.url, TOKEN))


def test_nobody_there_is_a_service_that_cannot_be_reached() -> None:
    with pytest.raises(ServiceError, match="cannot be reached"):
        smoke.page(Client(f"http://127.0.0.1:{free_port()}", TOKEN))


def test_an_answer_that_is_none_of_http_is_a_service_that_cannot_be_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

        with ThreadPoolExecutor() as pool:
            pool.submit(answer)
            with pytest.raises(ServiceError, match="cannot be reached"):
                smoke.page(Client(f"http://127.0.0.1:{server.getsockname()[1]}", TOKEN))


def test_what_is_not_there_at_once_is_asked_again_for_a_while() -> None:
    with StandIn() as service:
        service.responses = {
            "/_stcore/health": [Response(404), Response(403), Response(200, b"ok")],
            "/": [Response(200, b"<html>")],
        }
        smoke.run_with_retries(smoke.page, Client(service.url, TOKEN), seconds=5, pause=0.01)
        assert len(service.received("/_stcore/health")) == 3


def test_patience_ends() -> None:
    with StandIn() as service:
        service.responses = {"/_stcore/health": [Response(404)]}
        begun = time.monotonic()
        with pytest.raises(ServiceError):
            smoke.run_with_retries(smoke.page, Client(service.url, TOKEN), seconds=0.2, pause=0.05)
        assert 0.1 < time.monotonic() - begun < 5


def test_a_token_goes_to_no_other_host_than_the_one_that_was_asked() -> None:
    with StandIn() as other, StandIn() as service:
        other.responses = {"/": [Response(200, b"ok")]}
        service.responses = {"/": [Response(302, b"", {"Location": f"{other.url}/"})]}
        Client(service.url, TOKEN).get("/")
        assert service.requests[0].headers["Authorization"] == f"Bearer {TOKEN}"
        assert "Authorization" not in other.requests[0].headers
