"""Send feedback, and read what is stored of it."""

import base64
from typing import Any

import httpx2
from fastapi.testclient import TestClient

from animals.api import FEEDBACK_PATH
from animals.prediction_records import Feedback
from animals.serving.tokens import Tokens
from animals.storage import Storage
from tests.support.published import KEY, plain

TOKENS = Tokens(KEY)
PROBABILITIES = {"red": 0.7, "green": 0.2, "blue": 0.1}
PICTURE = plain("red", (30, 20), "JPEG")


def token(picture: bytes | None = None, tokens: Tokens = TOKENS) -> str:
    return tokens.sign("r7", "red", PROBABILITIES, picture=picture)


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def send_feedback(client: TestClient, label: str, prediction_id: str, **fields: Any) -> httpx2.Response:
    return client.post(FEEDBACK_PATH, json={"x": label, "prediction_id": prediction_id, **fields})


def stored(storage: Storage) -> dict[str, Feedback]:
    """Every record, by its name."""
    names = [name for name in storage.names("feedback/") if name.endswith(".json")]
    return {name: Feedback.model_validate_json(storage.read(name).data) for name in names}


def pictures(storage: Storage) -> list[str]:
    return list(storage.names("feedback/pictures/"))
