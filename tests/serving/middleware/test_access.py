"""Each request leaves one line that says how it was answered, and nothing of who asked or what."""

import asyncio
import logging
from contextlib import nullcontext
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.middleware import Middleware
from starlette.types import Message

from animals.serving.metrics import Metrics
from animals.serving.middleware.access import AccessMiddleware
from tests.support.published import plain

LOGGER = "animals.serving.middleware.access"


@pytest.fixture(autouse=True)
def _all_levels(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, LOGGER)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == LOGGER]


def test_a_request_is_one_line_without_name_address_or_query(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    sent = {"file": ("my secret.png", plain("red"), "image/png")}
    client.post("/classify/?secret=1", files=sent, headers={"User-Agent": "secret", "X-Forwarded-For": "203.0.113.7"})
    [line] = lines(caplog)
    assert line.startswith("POST /classify 200 in ")
    written = " ".join(str(vars(record)) for record in caplog.records if record.name.startswith("animals"))
    assert not [word for word in ("secret", "203.0.113.7", "testclient") if word in written]
    [record] = [record for record in caplog.records if record.name == LOGGER]
    request = vars(record)["httpRequest"]
    assert (request["requestMethod"], request["requestUrl"], request["status"]) == ("POST", "/classify", 200)
    assert 0 < float(request["latency"].removesuffix("s")) < 60


def test_addresses_and_methods_that_are_none_are_not_repeated(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    client.request("SECRET", "/secret")
    assert lines(caplog)[0].startswith("other other 404 in ")


def test_probes_leave_no_line_while_all_is_well(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    for path in ("/healthz", "/readyz/", "/metrics"):
        assert client.get(path).status_code == 200
    assert not lines(caplog)
    client.post("/readyz")
    assert lines(caplog)[0].startswith("POST /readyz 405")


def test_a_mistake_is_counted_and_logged_as_500(caplog: pytest.LogCaptureFixture) -> None:
    metrics = Metrics()
    app = FastAPI(middleware=[Middleware(AccessMiddleware, metrics=metrics)])

    @app.get("/things/{name}")
    async def fail(name: str) -> None:
        raise ZeroDivisionError(name)

    with TestClient(app, raise_server_exceptions=False) as client:
        assert client.get("/things/secret").status_code == 500
    assert lines(caplog)[0].startswith("GET /things/{name} 500 in ")
    assert [record.levelname for record in caplog.records if record.name == LOGGER] == ["WARNING"]
    text = metrics.text().decode()
    assert 'animals_requests_total{route="/things/{name}",status="500"} 1.0' in text
    assert "animals_requests_in_flight 0.0" in text


async def _hears(*_: Any) -> Message:
    return {"type": "http.disconnect"}


async def _says(*_: Any) -> None:
    pytest.fail("The client has gone.")


@pytest.mark.parametrize("cancelled", [True, False])
def test_a_request_that_nobody_waited_for_is_499(cancelled: bool, caplog: pytest.LogCaptureFixture) -> None:
    async def silent(*_: Any) -> None:
        if cancelled:
            raise asyncio.CancelledError

    app = AccessMiddleware(silent, Metrics())
    with pytest.raises(asyncio.CancelledError) if cancelled else nullcontext():
        asyncio.run(app({"type": "http", "method": "GET", "path": "/"}, _hears, _says))
    assert lines(caplog)[0].startswith("GET other 499 in ")
