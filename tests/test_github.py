"""Events at GitHub: sent with the token, which no other host gets."""

import logging
from pathlib import Path

import pytest

from animals.errors import AnimalsError, ConfigError, RequestRefused, ServiceError
from animals.github import open_dispatch, repository_of
from tests.support.http import GitHub

TOKEN = "ghp_nobody-may-see-this"  # noqa: S105 - not a real one


def send(url: str, token: str | None = TOKEN) -> None:
    open_dispatch("zoo/animals", token, api=url)("born", {"name": "Elsa"})


@pytest.mark.parametrize(
    ("place", "repository"),
    [
        ("github://zoo/animals", "zoo/animals"),
        ("github://zoo/.github", "zoo/.github"),
        *((wrong, None) for wrong in ("github://zoo", "github://../user", "github://zoo/..", "https://github.com/a/b")),
    ],
)
def test_a_repository_is_named_by_its_owner_and_name(place: str, repository: str | None) -> None:
    assert repository_of(place) == repository


def test_an_event_gets_there_with_its_payload_and_the_token(github: GitHub) -> None:
    send(github.url + "/", f"{TOKEN}\n")
    [request] = github.requests
    assert request.path == "/repos/zoo/animals/dispatches"
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"
    assert request.json() == {"event_type": "born", "client_payload": {"name": "Elsa"}}


def test_a_netrc_does_not_replace_the_token(github: GitHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password else\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(netrc))
    send(github.url)
    assert github.requests[0].headers["Authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    ("status", "error", "said"),
    [
        (404, RequestRefused, "404 Not Found. The repository must exist"),
        (401, RequestRefused, "the token in GITHUB_TOKEN must be allowed"),
        (503, ServiceError, "503 Service Unavailable. Try again later."),
    ],
)
def test_what_github_refuses_is_said_without_the_token(
    github: GitHub,
    status: int,
    error: type[AnimalsError],
    said: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    github.status = status
    with caplog.at_level(logging.DEBUG), pytest.raises(error) as raised:
        send(github.url)
    assert said in str(raised.value)
    assert TOKEN not in str(raised.value)
    assert TOKEN not in caplog.text


def test_a_repository_that_moved_does_not_take_the_token_along(github: GitHub) -> None:
    github.status, github.headers = 307, {"Location": f"{github.url}/elsewhere"}
    with pytest.raises(RequestRefused, match="307"):
        send(github.url)
    assert len(github.requests) == 1


def test_github_away_is_said_without_the_token() -> None:
    with pytest.raises(ServiceError) as error:
        send("http://127.0.0.1:1")
    assert "http://127.0.0.1:1/repos/zoo/animals/dispatches cannot be reached" in str(error.value)
    assert TOKEN not in str(error.value)


@pytest.mark.parametrize("token", [None, "", " \n"])
def test_without_a_token_nothing_is_sent(github: GitHub, token: str | None) -> None:
    with pytest.raises(ConfigError, match="zoo/animals at GitHub needs a token in GITHUB_TOKEN"):
        send(github.url, token)
    assert not github.requests


@pytest.mark.parametrize("token", ["gh p", "gh\np", "gh\xe4p"])
def test_a_token_that_is_none_is_refused_and_not_shown(github: GitHub, token: str) -> None:
    with pytest.raises(ConfigError) as error:
        send(github.url, token)
    assert token not in str(error.value)
