"""The signing key from Secret Manager, with Google's real client and a server in Google's place."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from animals import secret_manager
from animals.errors import ConfigError
from animals.serving.settings import BackendSettings
from animals.serving.tokens import signing_key
from tests.support import secret_server
from tests.support.http import Response, json_response
from tests.support.published import KEY
from tests.support.secret_server import Responses, secret_response

NAME = "projects/p/secrets/signing/versions/latest"


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Responses]:
    with secret_server.google(monkeypatch, tmp_path) as responses:
        yield responses


def key(**settings: Any) -> str:
    return signing_key(BackendSettings(**settings))


def test_the_key_is_read_at_the_start(google: Responses) -> None:
    google[f"/v1/{NAME}:access"] = secret_response("a long random text\n")
    assert key(secret_name=NAME) == "a long random text"


def test_on_cloud_run_the_name_is_enough(google: Responses, monkeypatch: pytest.MonkeyPatch) -> None:
    google[f"/v1/{NAME}:access"] = secret_response("a long random text")
    monkeypatch.setenv("K_SERVICE", "backend")
    monkeypatch.setenv("ANIMALS_SECRET_NAME", NAME)
    assert key() == "a long random text"


def test_a_key_that_is_set_is_taken_without_asking() -> None:
    assert key(secret=KEY, secret_name=NAME) == KEY


@pytest.mark.parametrize("name", ["signing", "projects/p/secrets/signing", f"{NAME}/more", "../../x", ""])
def test_a_name_that_is_none_is_told_with_a_right_one(name: str) -> None:
    with pytest.raises(
        ConfigError, match=r"ANIMALS_SECRET_NAME=.*is not the name of a secret; expected projects/PROJECT/secrets/NAME/"
    ):
        secret_manager.read_secret(name, variable="ANIMALS_SECRET_NAME")


PATH = f"/v1/{NAME}:access"


@pytest.mark.parametrize(
    ("path", "response", "reason"),
    [
        (PATH, Response(404), "404 Client Error"),
        (PATH, Response(403), "403 Client Error"),
        (PATH, json_response({"payload": {}}), "'data'"),
        (PATH, json_response([]), "list indices"),
        ("/token", json_response({"error": "invalid_grant"}, 400), "invalid_grant"),
        (PATH, secret_response(" "), "is empty"),
    ],
)
def test_a_secret_that_cannot_be_read_ends_the_start(
    google: Responses, path: str, response: Response, reason: str
) -> None:
    google[path] = response
    with pytest.raises(ConfigError, match=rf"The secret {NAME} .*{reason}"):
        key(secret_name=NAME)


def test_without_an_account_the_start_ends_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "gone.json"))
    with pytest.raises(ConfigError, match=r"could not be read from Secret Manager: .*gone\.json"):
        key(secret_name=NAME)
