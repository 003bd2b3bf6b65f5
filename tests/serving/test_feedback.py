"""What is said to be stored is stored, once, under the answer's name; and nothing else is."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from io import BytesIO
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from animals.api import Problem
from animals.records import Feedback, picture_name
from animals.serving.feedback import Stored
from animals.serving.settings import BackendSettings
from animals.serving.tokens import Tokens
from animals.storage import FolderStorage
from tests.support.judging import PATH, PICTURE, TOKENS, base64_of, judge, pictures, stored, token
from tests.support.published import Started, plain


def reason(answer: httpx2.Response) -> str:
    return Problem.model_validate_json(answer.content).detail


def counted(client: TestClient) -> dict[str, float]:
    """What the metrics count of each label and of right and wrong, without zeros."""
    lines = client.get("/metrics").text.splitlines()
    found = [line.removeprefix("animals_feedback_total").split() for line in lines if "feedback_total{" in line]
    return {labels: float(count) for labels, count in found if float(count)}


def test_a_judgement_is_stored_with_the_answer_that_it_judges(client: TestClient, folder: FolderStorage) -> None:
    prediction = client.post("/classify/", files={"file": plain("lime")}).json()
    answer = judge(client, "blue", prediction["prediction_id"])
    [(name, record)] = stored(folder).items()
    assert answer.status_code == 200
    assert answer.json() == {"stored": True, "id": record.id, "label": "blue", "picture": False}
    assert name == record.name == f"feedback/date={record.answered:%Y-%m-%d}/{record.id}.json"
    assert (record.label, record.prediction, record.version, record.picture) == ("blue", "green", "r1", None)
    assert record.probabilities == pytest.approx(prediction["probabilities"], abs=1e-5)
    assert record.confidence == record.probabilities["green"]
    assert record.id == TOKENS.read(prediction["prediction_id"]).id
    assert timedelta(0) <= record.time - record.answered < timedelta(seconds=10)


def test_both_spellings_answer(client: TestClient, folder: FolderStorage) -> None:
    said = {"x": "red", "prediction_id": token()}
    assert client.post("/post_data", json=said, follow_redirects=False).status_code == 200
    assert len(stored(folder)) == 1


def test_a_repetition_is_stored_once_and_counted_once(client: TestClient, folder: FolderStorage) -> None:
    said = token()
    answers = [judge(client, "red", said).json() for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    assert len(stored(folder)) == 1
    assert counted(client) == {'{label="red",right="true"}': 1}


def test_a_changed_mind_replaces_what_was_said_before(client: TestClient, folder: FolderStorage) -> None:
    said = token()
    for label in ("red", "green", "blue"):
        assert judge(client, label, said).json()["label"] == label
    [record] = stored(folder).values()
    assert record.label == "blue"
    assert counted(client) == {
        '{label="red",right="true"}': 1,
        '{label="green",right="false"}': 1,
        '{label="blue",right="false"}': 1,
    }


def test_an_answer_of_a_version_that_serves_no_more_is_judged_by_its_own_labels(
    client: TestClient, folder: FolderStorage
) -> None:
    old = TOKENS.sign("r0", "newt", {"newt": 0.6, "toad": 0.4})
    assert judge(client, "toad", old).status_code == 200
    [record] = stored(folder).values()
    assert (record.version, record.label) == ("r0", "toad")
    refused = judge(client, "red", old)
    assert refused.status_code == 422
    assert reason(refused) == '"red" is none of the labels of that answer; expected one of newt, toad.'


def test_the_day_is_that_of_the_answer(
    started: Started, settings: BackendSettings, folder: FolderStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("animals.serving.tokens.now", lambda: datetime(2026, 1, 2, 23, 59, tzinfo=UTC))
        said = token()
    with started(settings) as client:
        assert judge(client, "red", said).status_code == 200
    assert next(iter(stored(folder))).startswith("feedback/date=2026-01-02/")


def test_without_a_model_feedback_is_taken_too(
    started: Started, settings: BackendSettings, folder: FolderStorage
) -> None:
    with started(settings) as client:
        assert client.get("/readyz").status_code == 503
        assert judge(client, "red", token()).status_code == 200
    assert len(stored(folder)) == 1


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: "",
        lambda _: "a.b.c",
        lambda _: "é",
        lambda _: "x" * 5_000,
        lambda whole: whole[:-1],
        lambda whole: whole[:100],
        lambda whole: whole[1:],
        lambda whole: whole * 2,
        lambda _: token(tokens=Tokens("of somebody else")),
    ],
)
def test_what_this_service_did_not_sign_is_refused(
    client: TestClient, folder: FolderStorage, spoil: Callable[[str], str]
) -> None:
    refused = judge(client, "red", spoil(token()))
    assert refused.status_code == 400
    assert reason(refused).startswith("This prediction id was not given out by this service, or is damaged.")
    assert stored(folder) == {}


def test_a_token_of_a_million_letters_is_refused_at_once(started: Started, settings: BackendSettings) -> None:
    with started(settings.model_copy(update={"max_upload_bytes": 20_000_000})) as client:
        began = time.perf_counter()
        assert judge(client, "red", "A" * 10_000_000 + "." + token()).status_code == 400
        assert time.perf_counter() - began < 2


def test_an_answer_that_is_too_old_is_not_judged_any_more(started: Started, settings: BackendSettings) -> None:
    said = token()
    with started(settings.model_copy(update={"token_days": 0.5 / 86_400})) as client:
        time.sleep(2.1)  # a token's age is counted in whole seconds
        refused = judge(client, "red", said)
    assert refused.status_code == 410
    assert "days. Classify the picture again" in reason(refused)


@pytest.mark.parametrize(
    ("said", "missing"),
    [
        ({"x": "red"}, 'The field "prediction_id"'),
        ({"prediction_id": "x"}, 'The field "x"'),
        ({"x": 1, "prediction_id": "x"}, 'The field "x"'),
        ({"x": "red", "prediction_id": "x", "pictures": "x"}, 'The field "pictures"'),
        ([], "The body"),
    ],
)
def test_another_form_is_refused_with_the_right_one(client: TestClient, said: Any, missing: str) -> None:
    refused = client.post(PATH, json=said)
    assert refused.status_code == 422
    assert reason(refused).startswith(f"{missing} is missing or of another kind than expected. Send a label and the id")
    assert "curl --json" in reason(refused)


@pytest.mark.parametrize(
    ("body", "status"), [(b"{", 422), (b"", 422), (b"\xff", 422), (b"[" * 10_000, 422), (b"[" * 900, 422)]
)
def test_what_is_no_json_is_refused(client: TestClient, body: bytes, status: int) -> None:
    refused = client.post(PATH, content=body, headers={"Content-Type": "application/json"})
    assert refused.status_code == status
    assert "curl --json" in reason(refused)


def test_an_unknown_label_is_refused_and_not_counted(client: TestClient, folder: FolderStorage) -> None:
    refused = judge(client, "ocelot", token())
    assert (refused.status_code, stored(folder), counted(client)) == (422, {}, {})
    assert "expected one of red, green, blue" in reason(refused)


def test_a_body_that_is_too_large_is_refused(client: TestClient) -> None:
    assert judge(client, "red", token(), picture="A" * 50_000).status_code == 413


def test_a_picture_is_kept_only_where_it_is_sent(client: TestClient, folder: FolderStorage) -> None:
    said = token(PICTURE)
    assert judge(client, "red", said).json()["picture"] is False
    assert pictures(folder) == []
    assert judge(client, "red", said, picture=base64_of(PICTURE)).json()["picture"] is True
    assert counted(client) == {'{label="red",right="true"}': 1}
    [record] = stored(folder).values()
    assert record.picture == picture_name(record.answered, record.id, record.time)
    assert pictures(folder) == [record.picture]
    with Image.open(BytesIO(folder.read(record.picture).data)) as kept:
        assert (kept.format, kept.size) == ("JPEG", (30, 20))


@pytest.mark.parametrize(("path", "field"), [("/classify/", "file"), ("/classify/batch", "files")])
def test_the_picture_that_was_classified_can_be_kept(
    client: TestClient, folder: FolderStorage, path: str, field: str
) -> None:
    found = client.post(path, files={field: ("red.jpg", PICTURE)}).json()
    [prediction] = found if isinstance(found, list) else [found]
    refused = judge(client, "red", prediction["prediction_id"], picture=base64_of(plain("blue")))
    assert (refused.status_code, pictures(folder)) == (422, [])
    assert judge(client, "red", prediction["prediction_id"], picture=base64_of(PICTURE)).json()["picture"] is True
    assert len(pictures(folder)) == 1


def test_who_judges_again_without_the_picture_takes_it_back(client: TestClient, folder: FolderStorage) -> None:
    said = token(PICTURE)
    judge(client, "red", said, picture=base64_of(PICTURE))
    assert judge(client, "red", said).json()["picture"] is False
    [record] = stored(folder).values()
    assert (record.picture, pictures(folder)) == (None, [])


def test_a_picture_that_was_deleted_already_is_no_obstacle(client: TestClient, folder: FolderStorage) -> None:
    said = token(PICTURE)
    judge(client, "red", said, picture=base64_of(PICTURE))
    folder.delete(pictures(folder)[0])
    assert judge(client, "green", said).json() == {**judge(client, "green", said).json(), "picture": False}


@pytest.mark.parametrize(
    ("signed", "sent", "status", "words"),
    [
        (PICTURE, base64_of(plain("blue")), 422, "This is not the picture that was classified"),
        (PICTURE, base64_of(PICTURE)[:-3], 422, 'The field "picture" is no base64'),
        (PICTURE, "é", 422, 'The field "picture" is no base64'),
        (PICTURE, "", 422, "This is not the picture that was classified"),
        (None, base64_of(PICTURE), 422, "not given on a picture's file"),
        (b"no picture", base64_of(b"no picture"), 415, "This is no picture"),
        (plain("red", (200, 200)), base64_of(plain("red", (200, 200))), 413, "up to 10,000 in all are read"),
    ],
)
def test_another_picture_is_refused_and_nothing_is_stored(
    client: TestClient, folder: FolderStorage, signed: bytes | None, sent: str, status: int, words: str
) -> None:
    refused = judge(client, "red", token(signed), picture=sent)
    assert refused.status_code == status
    assert words in reason(refused)
    assert (stored(folder), pictures(folder)) == ({}, [])


def test_a_bucket_that_is_away_is_told_and_later_the_same_is_stored(
    started: Started, settings: BackendSettings, folder: FolderStorage
) -> None:
    said = token(PICTURE)
    with started(settings) as client:
        folder.root.write_bytes(b"no folder")
        for more in ({}, {"picture": base64_of(PICTURE)}):
            refused = judge(client, "red", said, **more)
            assert refused.status_code == 503
            assert int(refused.headers["Retry-After"]) >= 1
            assert "stored" not in refused.json()
        assert counted(client) == {}
        folder.root.unlink()
        assert judge(client, "red", said).status_code == 200
    assert len(stored(folder)) == 1


def test_a_later_judgement_is_a_conflict_for_the_client(client: TestClient, folder: FolderStorage) -> None:
    prediction_id = token()
    judge(client, "green", prediction_id)
    [(name, record)] = stored(folder).items()
    later = record.model_copy(update={"time": record.time + timedelta(minutes=1)})
    folder.write(name, later.model_dump_json().encode())
    assert judge(client, "red", prediction_id).status_code == 409
    assert judge(client, "green", prediction_id).status_code == 200, "what it says is stored"
    assert stored(folder) == {name: later}


def test_a_damaged_record_is_replaced(client: TestClient, folder: FolderStorage) -> None:
    prediction_id = token()
    judge(client, "green", prediction_id)
    [name] = stored(folder)
    folder.write(name, b"{")
    assert judge(client, "green", prediction_id).status_code == 200
    assert stored(folder)[name].label == "green"


def test_an_answer_that_all_judge_at_once_ends_with_one_record(client: TestClient, folder: FolderStorage) -> None:
    prediction_id = token()
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda n: judge(client, ("red", "green")[n % 2], prediction_id), range(60)))
    assert {answer.status_code for answer in answers} <= {200, 409, 503}
    assert len(stored(folder)) == 1


def test_hundreds_at_once_are_all_stored(client: TestClient, folder: FolderStorage) -> None:
    tokens = [token() for _ in range(300)]
    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(partial(judge, client, "green"), tokens))
    told = {answer.json()["id"] for answer in answers if answer.status_code == 200}
    assert len(told) == 300
    assert {record.id for record in stored(folder).values()} == told


def test_nothing_about_the_sender_is_stored(client: TestClient, folder: FolderStorage) -> None:
    headers = {"User-Agent": "somebody's browser", "X-Forwarded-For": "203.0.113.7", "Cookie": "name=somebody"}
    client.post(PATH, json={"x": "red", "prediction_id": token()}, headers=headers)
    [name] = stored(folder)
    kept = json.loads(folder.read(name).data)
    assert kept.keys() == Feedback.model_fields.keys()
    assert not any(word in str(kept) for word in ("somebody", "203.0.113.7"))


def test_the_document_says_what_is_taken_and_answered(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    asked = document["paths"][PATH]["post"]
    assert "/post_data" not in document["paths"]
    assert {"200", "400", "409", "410", "413", "415", "422", "503"} <= asked["responses"].keys()
    assert set(document["components"]["schemas"]["Stored"]["properties"]) == set(Stored.model_fields)


@pytest.mark.parametrize("part", [b"[],", b'"a":1,', b"{}"])
def test_a_large_body_that_is_no_judgement_is_refused_unread(client: TestClient, part: bytes) -> None:
    response = client.post(
        "/post_data/", content=b'{"x":[' + part * 1_001, headers={"Content-Type": "application/json"}
    )
    assert (response.status_code, len(response.content) < 1000) == (422, True)
