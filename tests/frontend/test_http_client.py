import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests

from animals.errors import RequestRefused, ServiceError
from animals.frontend.http_client import Service, View
from tests.support.stand_in import Said, StandIn, say


class Numbers(View):
    number: int


def service(url: str) -> Service:
    return Service("The model", url, requests.Session())


@contextmanager
def deaf() -> Iterator[str]:
    """Takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_an_answer_is_read_and_what_a_newer_service_adds_is_ignored(stand_in: StandIn) -> None:
    stand_in.answers["/n"] = [say({"number": 3, "letter": "c"})]
    assert service(stand_in.url).read(Numbers, "GET", "/n", seconds=5).number == 3


def test_a_slash_at_the_end_of_the_address_changes_nothing(stand_in: StandIn) -> None:
    stand_in.answers["/n"] = [say({"number": 3})]
    assert service(stand_in.url + "/").read(Numbers, "GET", "/n", seconds=5).number == 3


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        (say({"detail": "This is no picture."}, 415), RequestRefused, "This is no picture."),
        (Said(403, b"<html>Forbidden</html>"), RequestRefused, "The model refuses the request (HTTP status 403)."),
        (say({"detail": "No model is published yet."}, 503), ServiceError, "No model is published yet."),
        (Said(503, b"<html>"), ServiceError, "The model is not ready. Try again in a few seconds."),
        (Said(502), ServiceError, "The model cannot be reached. Try again in a few seconds."),
        (
            Said(500, b"Internal Server Error"),
            ServiceError,
            "The model failed (HTTP status 500); its log says why.",
        ),
        (Said(302, headers={"Location": "/elsewhere"}), ServiceError, "The model failed (HTTP status 302)"),
        (Said(200, b"<html>hello"), ServiceError, "something that this page does not understand"),
        (say({"numeral": 3}), ServiceError, "something that this page does not understand"),
    ],
)
def test_each_way_to_fail_is_an_error_of_its_own(
    stand_in: StandIn, said: Said, kind: type[ServiceError], words: str
) -> None:
    stand_in.answers["/n"] = [said]
    with pytest.raises(kind, match=re.escape(words)):
        service(stand_in.url).read(Numbers, "GET", "/n", seconds=5)


def test_a_service_that_is_away_is_unavailable() -> None:
    with pytest.raises(ServiceError, match=r"The model cannot be reached\. It may be starting; try again"):
        service("http://127.0.0.1:1").ask("GET", "/n", seconds=5)


def test_a_service_that_says_nothing_is_unavailable_after_the_time_it_has() -> None:
    with deaf() as url, pytest.raises(ServiceError, match="did not answer within 0 seconds"):
        service(url).ask("GET", "/n", seconds=0.1)


def test_a_service_that_breaks_off_is_unavailable(stand_in: StandIn) -> None:
    stand_in.answers["/n"] = [Said(200, b"{}", {"Content-Encoding": "gzip"})]
    with pytest.raises(ServiceError, match="cannot be reached"):
        service(stand_in.url).ask("GET", "/n", seconds=5)


def test_a_service_that_is_busy_for_a_second_is_asked_once_more(stand_in: StandIn) -> None:
    stand_in.answers["/n"] = [say({"detail": "Busy."}, 503, Retry_After="1"), say({"number": 3})]
    assert service(stand_in.url).read(Numbers, "GET", "/n", seconds=5).number == 3
    assert len(stand_in.heard) == 2


def test_a_service_that_needs_longer_is_not_waited_for(stand_in: StandIn) -> None:
    stand_in.answers["/n"] = [say({"detail": "No model serves."}, 503, Retry_After="60")]
    started = time.monotonic()
    with pytest.raises(ServiceError, match="No model serves"):
        service(stand_in.url).ask("GET", "/n", seconds=5)
    assert time.monotonic() - started < 1
    assert len(stand_in.heard) == 1
