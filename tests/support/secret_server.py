"""Google's log-in of a service account and its Secret Manager, on this machine."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from animals import secret_manager
from tests.support.http import HttpServer, Request, Response, json_response

TOKEN = "access-token"  # noqa: S105 - nothing accepts it but this server

Responses = dict[str, Response]
"""Path -> response."""


def secret_response(text: str) -> Response:
    """Return the response that holds a secret."""
    return json_response({"payload": {"data": base64.b64encode(text.encode()).decode()}})


@contextmanager
def google(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[Responses]:
    """Give a token to a service account, and secrets to requests with the token."""
    responses = {"/token": json_response({"access_token": TOKEN, "expires_in": 3600})}

    def respond(request: Request) -> Response:
        if request.method == "GET" and request.headers["Authorization"] != f"Bearer {TOKEN}":
            return Response(401)
        return responses.get(request.route, json_response({"error": "NOT_FOUND"}, 404))

    with HttpServer(respond) as server:
        monkeypatch.setattr(secret_manager, "URL", f"{server.url}/v1")
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(_service_account(folder, f"{server.url}/token")))
        yield responses


def _service_account(folder: Path, token_uri: str) -> Path:
    """Write the file that a person downloads for a service account."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    account = {"type": "service_account", "client_email": "a@p", "token_uri": token_uri, "private_key": key.decode()}
    path = folder / "account.json"
    path.write_text(json.dumps(account), encoding="utf-8")
    return path
