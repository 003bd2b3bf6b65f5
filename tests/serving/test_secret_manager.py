"""The key that signs prediction ids, out of Secret Manager: its real log-in, and a server in Google's place."""

import base64
import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from animals.config.services import ServiceSettings
from animals.errors import ConfigError
from animals.serving import secret_manager
from animals.serving.tokens import signing_key
from tests.serving.published import KEY

NAME = "projects/p/secrets/signing/versions/latest"

Answers = dict[str, tuple[int, Any]]
"""What Google says: path -> status and JSON."""


def holding(text: str) -> tuple[int, Any]:
    return 200, {"payload": {"data": base64.b64encode(text.encode()).decode()}}


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Answers]:
    """Gives a token to whoever signs for the service account, and secrets to whoever shows the token."""
    answers: Answers = {"/token": (200, {"access_token": "let me in", "expires_in": 3600})}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, said = answers.get(urlsplit(self.path).path, (404, {"error": "NOT_FOUND"}))
            if self.command == "GET" and self.headers["Authorization"] != "Bearer let me in":
                status = 401
            body = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            """Not to the tests' output."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setattr(secret_manager, "URL", f"{url}/v1")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(service_account(tmp_path, f"{url}/token")))
    yield answers
    server.shutdown()
    thread.join()
    server.server_close()


def service_account(folder: Path, token_uri: str) -> Path:
    """The file that a person downloads for a service account."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    account = {"type": "service_account", "client_email": "a@p", "token_uri": token_uri, "private_key": key.decode()}
    path = folder / "account.json"
    path.write_text(json.dumps(account))
    return path


def key(**settings: Any) -> str:
    return signing_key(ServiceSettings(**settings))


def test_the_key_is_read_at_the_start(google: Answers) -> None:
    google[f"/v1/{NAME}:access"] = holding("a long random text\n")
    assert key(secret_name=NAME) == "a long random text"


def test_on_cloud_run_the_name_is_enough(google: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    google[f"/v1/{NAME}:access"] = holding("a long random text")
    monkeypatch.setenv("K_SERVICE", "backend")
    monkeypatch.setenv("ANIMALS_SECRET_NAME", NAME)
    assert key() == "a long random text"


def test_a_key_that_is_set_is_taken_without_asking() -> None:
    assert key(secret=KEY, secret_name=NAME) == KEY


@pytest.mark.parametrize("name", ["signing", "projects/p/secrets/signing", f"{NAME}/more", "../../x", ""])
def test_a_name_that_is_none_is_told_with_a_right_one(name: str) -> None:
    with pytest.raises(ConfigError, match="is no secret; expected projects/PROJECT/secrets/NAME/versions/latest"):
        secret_manager.read_secret(name)


Spoil = Callable[[Answers], Any]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda _: None, "404 Client Error"),
        (lambda answers: answers.update({f"/v1/{NAME}:access": (403, {})}), "403 Client Error"),
        (lambda answers: answers.update({f"/v1/{NAME}:access": (200, {"payload": {}})}), "'data'"),
        (lambda answers: answers.update({f"/v1/{NAME}:access": (200, [])}), "list indices"),
        (lambda answers: answers.update({"/token": (400, {"error": "invalid_grant"})}), "invalid_grant"),
        (lambda answers: answers.update({f"/v1/{NAME}:access": holding(" ")}), "is empty"),
    ],
)
def test_a_secret_that_cannot_be_read_ends_the_start(google: Answers, spoil: Spoil, reason: str) -> None:
    spoil(google)
    with pytest.raises(ConfigError, match=rf"The secret {NAME} .*{reason}"):
        key(secret_name=NAME)


def test_without_an_account_the_start_ends_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "gone.json"))
    with pytest.raises(ConfigError, match=r"could not be read from Secret Manager: .*gone\.json"):
        key(secret_name=NAME)
