"""On Cloud Run, whose metadata server and API a stand-in plays: google-auth itself asks it, in a process of its own."""

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from animals.frontend import clients
from animals.frontend.settings import PageSettings
from tests.support.stand_in import HOST, Heard, Said, StandIn, say

_METADATA = {"Metadata-Flavor": "Google", "Content-Type": "text/plain"}

FIND = """
import sys
from animals.cli import exit_on_error
from animals.frontend.cloud import find_service
with exit_on_error():
    print(find_service("animals-api", api=sys.argv[1]))
"""

ASK = """
from animals.cli import exit_on_error
from animals.frontend.settings import PageSettings
from animals.frontend.clients import backend
with exit_on_error():
    print(backend(PageSettings()).model().version)
"""


ASK_TWICE = """
from animals.cli import exit_on_error
from animals.frontend.settings import PageSettings
from animals.frontend.clients import backend, reports
with exit_on_error():
    for _ in range(2):
        backend(PageSettings()).model()
        print(reports(PageSettings()).summary(7).version)
"""

IN_2100 = 4_102_444_800


def token(audience: str, expires: int = IN_2100) -> str:
    """What Google's metadata server gives, except for a signature that counts."""
    claims = {"aud": audience, "exp": expires}
    parts = ({"alg": "none"}, claims)
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, "c2lnbmF0dXJl"])


def metadata(path: str, text: str) -> dict[str, list[Said]]:
    return {f"/computeMetadata/v1/{path}": [Said(200, text.encode(), _METADATA)]}


@pytest.fixture
def google() -> Iterator[StandIn]:
    """Metadata server and Cloud Run API in one."""

    def identity(heard: Heard) -> Said:
        assert "audience=http" in heard.path
        return Said(200, token("backend").encode(), _METADATA)

    account = {"email": "page@project", "aliases": ["default"], "scopes": ["cloud-platform"]}
    access = {"access_token": "access", "expires_in": 3600, "token_type": "Bearer"}
    with StandIn() as service:
        service.answers = {
            "/": [Said(200, b"", _METADATA)],
            **metadata("instance/region", "projects/123/regions/europe-west1"),
            **metadata("project/project-id", "project"),
            **metadata("universe/universe-domain", "googleapis.com"),
            "/computeMetadata/v1/instance/service-accounts/default/": [say(account, **_METADATA_JSON)],
            "/computeMetadata/v1/instance/service-accounts/default/token": [say(access, **_METADATA_JSON)],
            "/computeMetadata/v1/instance/service-accounts/page@project/token": [say(access, **_METADATA_JSON)],
            "/computeMetadata/v1/instance/service-accounts/default/identity": identity,
            "/v2/projects/123/locations/europe-west1/services/animals-api": [
                say({"uri": "https://animals-api.run.app"})
            ],
        }
        yield service


_METADATA_JSON: dict[str, Any] = {"Metadata_Flavor": "Google", "Content_Type": "application/json"}


def on_cloud_run(google: StandIn, script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    place = f"{HOST}:{google.port}"
    inside = {
        "K_SERVICE": "animals-page",
        "NO_GCE_CHECK": "false",
        "GCE_METADATA_HOST": place,
        "GCE_METADATA_IP": place,
        "GCE_METADATA_TIMEOUT": "20",
        **environment,
    }
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env={**os.environ, **inside},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


def test_the_backend_is_found_by_the_name_of_its_service(google: StandIn) -> None:
    done = on_cloud_run(google, FIND, google.url)
    assert (done.stdout, done.stderr) == ("https://animals-api.run.app\n", "")
    asked = google.on("/v2/projects/123/locations/europe-west1/services/animals-api")[0]
    assert asked.headers["Authorization"] == "Bearer access"


@pytest.mark.parametrize("status", [403, 404])
def test_a_backend_that_is_not_found_is_explained(google: StandIn, status: int) -> None:
    google.answers["/v2/projects/123/locations/europe-west1/services/animals-api"] = [say({"error": {}}, status)]
    done = on_cloud_run(google, FIND, google.url)
    assert done.returncode == 2
    assert f"in projects/123/locations/europe-west1 (HTTP status {status})" in done.stderr
    assert "ANIMALS_BACKEND" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_platform_that_does_not_answer_is_explained(google: StandIn) -> None:
    google.answers["/computeMetadata/v1/instance/region"] = [Said(500)]
    done = on_cloud_run(google, FIND, google.url)
    assert done.returncode == 1
    assert "Cloud Run cannot be asked where the service animals-api is" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_backend_is_asked_with_an_identity_token_for_it(google: StandIn, stand_in: StandIn) -> None:
    done = on_cloud_run(google, ASK, ANIMALS_BACKEND=stand_in.url)
    assert done.stdout == "r1\n", done.stderr
    assert stand_in.heard[0].headers["Authorization"] == f"Bearer {token('backend')}"
    identity = google.on("/computeMetadata/v1/instance/service-accounts/default/identity")[0]
    assert parse_qs(urlsplit(identity.path).query)["audience"] == [stand_in.url]


@pytest.fixture
def report() -> Iterator[StandIn]:
    """A report function."""
    with StandIn() as service:
        service.answers = {"/generate_performance_report": [say({"version": "r1"})]}
        yield service


def asked_for(google: StandIn) -> list[str]:
    """The audience of each identity token that was had."""
    heard = google.on("/computeMetadata/v1/instance/service-accounts/default/identity")
    return [parse_qs(urlsplit(one.path).query)["audience"][0] for one in heard]


def test_backend_and_report_get_a_token_each_which_is_kept(google: StandIn, stand_in: StandIn, report: StandIn) -> None:
    def identity(heard: Heard) -> Said:
        [audience] = parse_qs(urlsplit(heard.path).query)["audience"]
        return Said(200, token(audience).encode(), _METADATA)

    google.answers["/computeMetadata/v1/instance/service-accounts/default/identity"] = identity
    done = on_cloud_run(google, ASK_TWICE, ANIMALS_BACKEND=stand_in.url, ANIMALS_REPORT=report.url)
    assert done.stdout == "r1\nr1\n", done.stderr
    assert asked_for(google) == [stand_in.url, report.url]
    for service in (stand_in, report):
        assert [heard.headers["Authorization"] for heard in service.heard] == [f"Bearer {token(service.url)}"] * 2


def test_a_token_that_expires_is_followed_by_another(google: StandIn, stand_in: StandIn, report: StandIn) -> None:
    within_a_minute = int(time.time()) + 60  # google-auth takes a new one some minutes before
    expiring = Said(200, token("any", within_a_minute).encode(), _METADATA)
    google.answers["/computeMetadata/v1/instance/service-accounts/default/identity"] = [expiring]
    done = on_cloud_run(google, ASK_TWICE, ANIMALS_BACKEND=stand_in.url, ANIMALS_REPORT=report.url)
    assert done.stdout == "r1\nr1\n", done.stderr
    assert asked_for(google).count(stand_in.url) == 2
    assert asked_for(google).count(report.url) == 2


def test_a_platform_that_gives_no_tokens_is_explained(google: StandIn, stand_in: StandIn) -> None:
    google.answers["/"] = [Said(200)]  # some other server, which does not say that it is Google's
    done = on_cloud_run(google, ASK, ANIMALS_BACKEND=stand_in.url)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: Google gives no identity token for {stand_in.url}")
    assert stand_in.heard == []


def test_without_a_cloud_no_token_is_sent(stand_in: StandIn) -> None:
    settings = PageSettings(backend=stand_in.url)
    clients.backend(settings).model()
    assert "Authorization" not in stand_in.heard[0].headers


def test_the_backend_is_on_this_machine_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert clients.backend_address(PageSettings()) == "http://127.0.0.1:8080"
