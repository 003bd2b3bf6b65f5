"""Google's log-in of a service account and its Secret Manager, on this machine."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from animals import secret_manager

Answers = dict[str, tuple[int, Any]]
"""What Google says: path -> status and JSON."""


def holding(text: str) -> tuple[int, Any]:
    """The answer that carries a secret."""
    return 200, {"payload": {"data": base64.b64encode(text.encode()).decode()}}


@contextmanager
def google(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[Answers]:
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
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(_service_account(folder, f"{url}/token")))
    yield answers
    server.shutdown()
    thread.join()
    server.server_close()


def _service_account(folder: Path, token_uri: str) -> Path:
    """The file that a person downloads for a service account."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    account = {"type": "service_account", "client_email": "a@p", "token_uri": token_uri, "private_key": key.decode()}
    path = folder / "account.json"
    path.write_text(json.dumps(account), encoding="utf-8")
    return path
