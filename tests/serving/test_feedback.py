"""Feedback over HTTP: what is acknowledged is stored once, under the prediction's name, and nothing else is."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient

from animals.api import FEEDBACK_PATH, FeedbackResponse, Problem
from animals.prediction_records import Feedback
from animals.serving.settings import BackendSettings
from animals.serving.tokens import Tokens
from animals.storage import FolderStorage
from tests.support.feedback import PICTURE, TOKENS, base64_of, send_feedback, stored, token
from tests.support.published import Started, plain


def reason(response: httpx2.Response) -> str:
    return Problem.model_validate_json(response.content).detail


def counts(client: TestClient) -> dict[str, float]:
    lines = client.get("/metrics").text.splitlines()
    parts = [line.removeprefix("animals_feedback_total").split() for line in lines if "feedback_total{" in line]
    return {labels: float(count) for labels, count in parts if float(count)}


def test_feedback_is_stored_with_its_prediction(client: TestClient, folder: FolderStorage) -> None:
    prediction = client.post("/classify/", files={"file": plain("lime")}).json()
    response = send_feedback(client, "blue", prediction["prediction_id"])
    [(name, record)] = stored(folder).items()
    assert response.status_code == 200
    assert response.json() == {"stored": True, "id": record.id, "label": "blue", "picture": False}
    assert name == record.name == f"feedback/date={record.answered:%Y-%m-%d}/{record.id}.json"
    assert (record.label, record.prediction, record.version, record.picture) == ("blue", "green", "r1", None)
    assert record.probabilities == pytest.approx(prediction["probabilities"], abs=1e-5)
    assert record.confidence == record.probabilities["green"]
    assert record.id == TOKENS.read(prediction["prediction_id"]).id
    assert timedelta(0) <= record.time - record.answered < timedelta(seconds=10)


def test_a_repetition_is_stored_once_and_counted_once(client: TestClient, folder: FolderStorage) -> None:
    prediction_id = token()
    responses = [send_feedback(client, "red", prediction_id).json() for _ in range(3)]
    assert responses[0] == responses[1] == responses[2]
    assert len(stored(folder)) == 1
    assert counts(client) == {'{label="red",right="true"}': 1}


def test_later_feedback_replaces_earlier_feedback(client: TestClient, folder: FolderStorage) -> None:
    prediction_id = token()
    for label in ("red", "green", "blue"):
        assert send_feedback(client, label, prediction_id).json()["label"] == label
    [record] = stored(folder).values()
    assert record.label == "blue"
    assert counts(client) == {
        '{label="red",right="true"}': 1,
        '{label="green",right="false"}': 1,
        '{label="blue",right="false"}': 1,
    }


def test_the_labels_are_those_of_the_prediction_also_if_its_version_no_longer_serves(
    client: TestClient, folder: FolderStorage
) -> None:
    old = TOKENS.sign("r0", "newt", {"newt": 0.6, "toad": 0.4})
    assert send_feedback(client, "toad", old).status_code == 200
    [record] = stored(folder).values()
    assert (record.version, record.label) == ("r0", "toad")
    refused = send_feedback(client, "red", old)
    assert refused.status_code == 422
    assert reason(refused) == '"red" is none of the labels of that prediction; expected one of newt, toad.'
    assert counts(client).keys() == {'{label="toad",right="false"}'}


def test_the_day_is_that_of_the_prediction(
    started: Started, settings: BackendSettings, folder: FolderStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("animals.serving.tokens.now", lambda: datetime(2026, 1, 2, 23, 59, tzinfo=UTC))
        prediction_id = token()
    with started(settings) as client:
        assert client.get("/readyz").status_code == 503, "feedback needs no model"
        assert send_feedback(client, "red", prediction_id).status_code == 200
    assert next(iter(stored(folder))).startswith("feedback/date=2026-01-02/")


def test_a_prediction_id_that_was_not_issued_is_refused(client: TestClient, folder: FolderStorage) -> None:
    refused = send_feedback(client, "red", token(tokens=Tokens("another key")))
    assert refused.status_code == 400
    assert reason(refused).startswith("This prediction id was not issued by this service, or is damaged.")
    assert stored(folder) == {}


def test_a_token_of_a_million_letters_is_refused_at_once(started: Started, settings: BackendSettings) -> None:
    with started(settings.model_copy(update={"max_upload_bytes": 20_000_000})) as client:
        began = time.perf_counter()
        assert send_feedback(client, "red", "A" * 10_000_000 + "." + token()).status_code == 400
        assert time.perf_counter() - began < 2


def test_a_prediction_id_that_is_too_old_is_refused(started: Started, settings: BackendSettings) -> None:
    prediction_id = token()
    with started(settings.model_copy(update={"token_days": 0.5 / 86_400})) as client:
        time.sleep(2.1)  # a token's age is counted in whole seconds
        refused = send_feedback(client, "red", prediction_id)
    assert refused.status_code == 410
    assert "days. Classify the picture again" in reason(refused)


MANY = b'{"x":['


@pytest.mark.parametrize(
    ("body", "subject"),
    [
        (b'{"x": "red"}', 'The field "prediction_id"'),
        (b'{"prediction_id": "x"}', 'The field "x"'),
        (b'{"x": 1, "prediction_id": "x"}', 'The field "x"'),
        (b'{"x": "red", "prediction_id": "x", "pictures": "x"}', 'The field "pictures"'),
        *((body, "The body") for body in (b"[]", b"{", b"", b"\xff", b"[" * 10_000, b"[" * 900)),
        *((MANY + part * 1_001, "The body") for part in (b"[],", b'"a":1,', b"{}")),
    ],
)
def test_a_body_of_another_form_is_refused_with_the_right_form(client: TestClient, body: bytes, subject: str) -> None:
    refused = client.post(FEEDBACK_PATH, content=body, headers={"Content-Type": "application/json"})
    assert refused.status_code == 422
    assert reason(refused).startswith(
        f"{subject} is missing or has the wrong type. Send a label and a prediction id as JSON: curl --json"
    )
    assert len(refused.content) < 1000


def test_a_body_that_is_too_large_is_refused(client: TestClient) -> None:
    assert send_feedback(client, "red", token(), picture="A" * 50_000).status_code == 413


def test_while_the_bucket_is_unavailable_nothing_is_acknowledged_and_a_repetition_is_stored(
    started: Started, settings: BackendSettings, folder: FolderStorage
) -> None:
    prediction_id = token(PICTURE)
    with started(settings) as client:
        folder.root.write_bytes(b"no folder")
        for fields in ({}, {"picture": base64_of(PICTURE)}):
            refused = send_feedback(client, "red", prediction_id, **fields)
            assert refused.status_code == 503
            assert int(refused.headers["Retry-After"]) >= 1
            assert "stored" not in refused.json()
        assert counts(client) == {}
        folder.root.unlink()
        assert send_feedback(client, "red", prediction_id).status_code == 200
    assert len(stored(folder)) == 1


def test_feedback_is_a_conflict_if_later_feedback_is_stored(client: TestClient, folder: FolderStorage) -> None:
    prediction_id = token()
    send_feedback(client, "green", prediction_id)
    [(name, record)] = stored(folder).items()
    later = record.model_copy(update={"time": record.time + timedelta(minutes=1)})
    folder.write(name, later.model_dump_json().encode())
    assert send_feedback(client, "red", prediction_id).status_code == 409
    assert send_feedback(client, "green", prediction_id).status_code == 200, "the same is stored"
    assert stored(folder) == {name: later}


def test_a_damaged_record_is_replaced(client: TestClient, folder: FolderStorage) -> None:
    prediction_id = token()
    send_feedback(client, "green", prediction_id)
    [name] = stored(folder)
    folder.write(name, b"{")
    assert send_feedback(client, "green", prediction_id).status_code == 200
    assert stored(folder)[name].label == "green"


def test_much_feedback_on_one_prediction_at_once_leaves_one_record(client: TestClient, folder: FolderStorage) -> None:
    prediction_id = token()
    with ThreadPoolExecutor(12) as pool:
        labels = ("red", "green") * 30
        responses = list(pool.map(lambda label: send_feedback(client, label, prediction_id), labels))
    assert {response.status_code for response in responses} <= {200, 409, 503}
    assert len(stored(folder)) == 1


def test_hundreds_at_once_are_all_stored(client: TestClient, folder: FolderStorage) -> None:
    tokens = [token() for _ in range(300)]
    with ThreadPoolExecutor(40) as pool:
        responses = list(pool.map(partial(send_feedback, client, "green"), tokens))
    acknowledged = {response.json()["id"] for response in responses if response.status_code == 200}
    assert len(acknowledged) == 300
    assert {record.id for record in stored(folder).values()} == acknowledged


def test_nothing_about_the_client_is_stored(client: TestClient, folder: FolderStorage) -> None:
    headers = {"User-Agent": "a visitor's browser", "X-Forwarded-For": "203.0.113.7", "Cookie": "name=visitor"}
    client.post(FEEDBACK_PATH, json={"x": "red", "prediction_id": token()}, headers=headers)
    [name] = stored(folder)
    record = json.loads(folder.read(name).data)
    assert record.keys() == Feedback.model_fields.keys()
    assert not any(word in str(record) for word in ("visitor", "203.0.113.7"))


def test_the_openapi_document_describes_feedback(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    operation: dict[str, Any] = document["paths"][FEEDBACK_PATH]["post"]
    assert {"200", "400", "409", "410", "413", "415", "422", "503"} <= operation["responses"].keys()
    schema = document["components"]["schemas"]["FeedbackResponse"]
    assert set(schema["properties"]) == set(FeedbackResponse.model_fields)
