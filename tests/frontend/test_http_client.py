import re
import socket
import time

import pytest
from pydantic import BaseModel, ConfigDict

from animals.errors import RequestRefused, ServiceError
from animals.frontend.clients import local_session
from animals.frontend.http_client import HttpClient
from tests.support.http import Response, json_response
from tests.support.stand_in import StandIn, busy


class Numbers(BaseModel):
    model_config = ConfigDict(extra="forbid")

    number: int


def client(url: str) -> HttpClient:
    return HttpClient("The model", url, local_session())


def test_a_field_that_a_newer_service_adds_is_ignored(stand_in: StandIn) -> None:
    stand_in.responses["/n"] = [json_response({"number": 3, "letter": "c"})]
    assert client(stand_in.url).request_model(Numbers, "GET", "/n", timeout=5).number == 3


def test_a_trailing_slash_of_the_address_is_ignored(stand_in: StandIn) -> None:
    stand_in.responses["/n"] = [json_response({"number": 3})]
    assert client(stand_in.url + "/").request("GET", "/n", timeout=5).json() == {"number": 3}


@pytest.mark.parametrize(
    ("response", "error", "message"),
    [
        (json_response({"detail": "This is no picture."}, 415), RequestRefused, "This is no picture."),
        (Response(403, b"<html>"), RequestRefused, "The model rejected the request (HTTP status 403)."),
        (json_response({"detail": "No model is published yet."}, 503), ServiceError, "No model is published yet."),
        (Response(503, b"<html>"), ServiceError, "The model is not ready. Try again in a few seconds."),
        (Response(502), ServiceError, "The model cannot be reached. Try again in a few seconds."),
        (Response(500), ServiceError, "The model failed (HTTP status 500). Its log gives the reason."),
        (Response(302, headers={"Location": "/elsewhere"}), ServiceError, "The model failed (HTTP status 302)"),
        (Response(200, b"<html>hello"), ServiceError, "a response that this page cannot read"),
        (json_response({"numeral": 3}), ServiceError, "a response that this page cannot read"),
        (Response(200, b"{}", {"Content-Encoding": "gzip"}), ServiceError, "cannot be reached"),  # broken off
    ],
)
def test_each_failure_has_its_error_and_message(
    stand_in: StandIn, response: Response, error: type[ServiceError], message: str
) -> None:
    stand_in.responses["/n"] = [response]
    with pytest.raises(error, match=re.escape(message)):
        client(stand_in.url).request_model(Numbers, "GET", "/n", timeout=5)


def test_a_service_that_does_not_run_cannot_be_reached() -> None:
    with pytest.raises(ServiceError, match=r"The model cannot be reached\. It may be starting; try again"):
        client("http://127.0.0.1:1").request("GET", "/n", timeout=5)


def test_a_service_that_does_not_respond_is_given_up_after_the_timeout() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(ServiceError, match="did not respond within 0 seconds"),
    ):
        client(f"http://127.0.0.1:{silent.getsockname()[1]}").request("GET", "/n", timeout=0.1)


def test_a_request_to_a_busy_service_is_retried_when_the_service_asks_for_it(stand_in: StandIn) -> None:
    stand_in.responses["/n"] = [busy("Busy.", 1), json_response({"number": 3})]
    assert client(stand_in.url).request("GET", "/n", timeout=5).json() == {"number": 3}
    assert len(stand_in.requests) == 2


def test_a_service_that_is_busy_for_longer_is_an_error_at_once(stand_in: StandIn) -> None:
    stand_in.responses["/n"] = [busy("No model serves.", 60)]
    started = time.monotonic()
    with pytest.raises(ServiceError, match="No model serves"):
        client(stand_in.url).request("GET", "/n", timeout=5)
    assert time.monotonic() - started < 1
    assert len(stand_in.requests) == 1
