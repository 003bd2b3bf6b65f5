"""Judgements of answers, and what is stored of them."""

import base64
from typing import Any

import httpx2
from fastapi.testclient import TestClient

from animals.records import Feedback
from animals.serving.tokens import Tokens
from animals.storage import Storage
from tests.support.published import KEY, plain

PATH = "/post_data/"
TOKENS = Tokens(KEY)
SHARES = {"red": 0.7, "green": 0.2, "blue": 0.1}
PICTURE = plain("red", (30, 20), "JPEG")


def token(picture: bytes | None = None, tokens: Tokens = TOKENS) -> str:
    return tokens.sign("r7", "red", SHARES, picture=picture)


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def judge(client: TestClient, label: str, prediction_id: str, **more: Any) -> httpx2.Response:
    return client.post(PATH, json={"x": label, "prediction_id": prediction_id, **more})


def stored(folder: Storage) -> dict[str, Feedback]:
    """Every record, by its name."""
    names = [name for name in folder.names("feedback/") if name.endswith(".json")]
    return {name: Feedback.model_validate_json(folder.read(name).data) for name in names}


def pictures(folder: Storage) -> list[str]:
    return list(folder.names("feedback/pictures/"))
