"""The page on Cloud Run, with a stand-in for Google's metadata server and API.

google-auth itself sends the requests, in a process of its own.
"""

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from animals.frontend.clients import backend_address, connect_backend
from animals.frontend.settings import PageSettings
from tests.support.http import Request, Response, json_response
from tests.support.stand_in import StandIn

METADATA_FLAVOR = {"Metadata-Flavor": "Google"}
METADATA = "/computeMetadata/v1"
ACCOUNTS = f"{METADATA}/instance/service-accounts"
IDENTITY = f"{ACCOUNTS}/default/identity"
LOCATION = "projects/123/locations/europe-west1"
SERVICE = f"/v2/{LOCATION}/services/animals-api"

FIND = """
import sys
from animals.cli import exit_on_error
from animals.frontend.cloud import find_service
with exit_on_error():
    print(find_service("animals-api", api=sys.argv[1]))
"""

REQUEST_TWICE = """
from animals.cli import exit_on_error
from animals.frontend.settings import PageSettings
from animals.frontend.clients import connect_backend, connect_report_function
with exit_on_error():
    for _ in range(2):
        print(connect_backend(PageSettings()).metrics())
        connect_report_function(PageSettings()).archive(7)
"""

IN_2100 = 4_102_444_800


def token(audience: str, expires: int = IN_2100) -> str:
    """Return an identity token without a valid signature."""
    parts = ({"alg": "none"}, {"aud": audience, "exp": expires})
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, "c2lnbmF0dXJl"])


def audience_of(request: Request) -> str:
    [audience] = parse_qs(urlsplit(request.path).query)["audience"]
    return audience


def text(content: str) -> Response:
    return Response(200, content.encode(), METADATA_FLAVOR | {"Content-Type": "text/plain"})


def metadata_json(value: Any) -> list[Response]:
    return [Response(200, json.dumps(value).encode(), METADATA_FLAVOR | {"Content-Type": "application/json"})]


@pytest.fixture
def google() -> Iterator[StandIn]:
    access_token = metadata_json({"access_token": "access", "expires_in": 3600, "token_type": "Bearer"})
    account = {"email": "page@project", "aliases": ["default"], "scopes": ["cloud-platform"]}
    with StandIn() as service:
        service.responses = {
            "/": [text("")],
            f"{METADATA}/instance/region": [text("projects/123/regions/europe-west1")],
            f"{METADATA}/project/project-id": [text("project")],
            f"{METADATA}/universe/universe-domain": [text("googleapis.com")],
            f"{ACCOUNTS}/default/": metadata_json(account),
            f"{ACCOUNTS}/default/token": access_token,
            f"{ACCOUNTS}/page@project/token": access_token,
            IDENTITY: lambda request: text(token(audience_of(request))),
            SERVICE: [json_response({"uri": "https://animals-api.run.app"})],
        }
        yield service


@pytest.fixture
def backend() -> Iterator[StandIn]:
    with StandIn() as service:
        service.responses = {"/metrics": [Response(200, b"metrics")]}
        yield service


@pytest.fixture
def report_function() -> Iterator[StandIn]:
    with StandIn() as service:
        service.responses = {"/generate_performance_report": [Response(200, b"PK")]}
        yield service


def on_cloud_run(google: StandIn, script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    host = urlsplit(google.url).netloc
    variables = {
        "K_SERVICE": "animals-page",
        "NO_GCE_CHECK": "false",
        "GCE_METADATA_HOST": host,
        "GCE_METADATA_IP": host,
        "GCE_METADATA_TIMEOUT": "20",
        **environment,
    }
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env={**os.environ, **variables},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


def test_the_backends_address_is_found_by_the_name_of_its_service(google: StandIn) -> None:
    done = on_cloud_run(google, FIND, google.url)
    assert (done.stdout, done.stderr) == ("https://animals-api.run.app\n", "")
    assert google.received(SERVICE)[0].headers["Authorization"] == "Bearer access"


@pytest.mark.parametrize(
    ("path", "response", "code", "messages"),
    [
        (SERVICE, json_response({"error": {}}, 403), 2, [f"in {LOCATION} (HTTP status 403)", "Set ANIMALS_BACKEND_"]),
        (SERVICE, json_response({"error": {}}, 404), 2, [f"in {LOCATION} (HTTP status 404)", "Set ANIMALS_BACKEND_"]),
        (SERVICE, json_response({}), 1, ["The service animals-api has no URL yet"]),
        (f"{METADATA}/instance/region", Response(500), 1, ["does not return the URL of the service animals-api"]),
    ],
)
def test_a_service_that_is_not_found_is_an_error(
    google: StandIn, path: str, response: Response, code: int, messages: list[str]
) -> None:
    google.responses[path] = [response]
    done = on_cloud_run(google, FIND, google.url)
    assert done.returncode == code
    assert [message for message in messages if message not in done.stderr] == []
    assert "Traceback" not in done.stderr


def test_backend_and_report_function_receive_a_token_each_which_is_reused(
    google: StandIn, backend: StandIn, report_function: StandIn
) -> None:
    done = on_cloud_run(google, REQUEST_TWICE, ANIMALS_BACKEND=backend.url, ANIMALS_REPORT=report_function.url)
    assert done.stdout == "metrics\n" * 2, done.stderr
    assert [audience_of(request) for request in google.received(IDENTITY)] == [backend.url, report_function.url]
    for service in (backend, report_function):
        sent = [request.headers["Authorization"] for request in service.requests]
        assert sent == [f"Bearer {token(service.url)}"] * 2


def test_a_token_that_expires_is_renewed(google: StandIn, backend: StandIn, report_function: StandIn) -> None:
    within_a_minute = int(time.time()) + 60  # google-auth renews a token some minutes before it expires
    google.responses[IDENTITY] = [text(token("any", within_a_minute))]
    done = on_cloud_run(google, REQUEST_TWICE, ANIMALS_BACKEND=backend.url, ANIMALS_REPORT=report_function.url)
    assert done.stdout == "metrics\n" * 2, done.stderr
    audiences = [audience_of(request) for request in google.received(IDENTITY)]
    assert [audiences.count(service.url) for service in (backend, report_function)] == [2, 2]


def test_a_metadata_server_without_tokens_is_an_error(google: StandIn, backend: StandIn) -> None:
    google.responses["/"] = [Response(200)]  # without the header of Google's server
    done = on_cloud_run(google, REQUEST_TWICE, ANIMALS_BACKEND=backend.url)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: Google returns no identity token for {backend.url}")
    assert backend.requests == []


def test_on_this_machine_no_token_is_sent(stand_in: StandIn) -> None:
    connect_backend(PageSettings(backend=stand_in.url)).model()
    assert "Authorization" not in stand_in.requests[0].headers


def test_by_default_the_backend_is_on_this_machine() -> None:
    assert backend_address(PageSettings()) == "http://127.0.0.1:8080"
