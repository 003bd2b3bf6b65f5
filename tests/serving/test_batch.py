import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient

from animals.api import MAX_PICTURES, Prediction
from animals.serving.classifier import Classifier, ModelOutput
from animals.serving.tokens import Tokens
from animals.storage import FolderStorage
from tests.support.published import KEY, plain, publish, until


def post(client: TestClient, *files: tuple[str, bytes]) -> Any:
    response = client.post("/classify/batch", files=[("files", file) for file in files])
    assert response.status_code == 200, response.text
    return response.json()


def test_every_picture_is_answered_in_its_place(client: TestClient) -> None:
    colours = ["red", "lime", "blue", "lime"]
    answers = [Prediction.model_validate(it) for it in post(client, *[(f"{it}.png", plain(it)) for it in colours])]
    assert [answer.prediction for answer in answers] == ["red", "green", "blue", "green"]
    assert [answer.filename for answer in answers] == ["red.png", "lime.png", "blue.png", "lime.png"]
    carried = [Tokens(KEY).read(answer.prediction_id) for answer in answers]
    assert [answer.prediction for answer in carried] == ["red", "green", "blue", "green"]
    assert len({answer.id for answer in carried}) == 4


def test_a_picture_is_answered_as_it_is_alone(client: TestClient) -> None:
    [answer] = post(client, ("x", plain("red", kind="JPEG")))
    alone = client.post("/classify/", files={"file": ("x", plain("red", kind="JPEG"))}).json()
    assert {**answer, "prediction_id": ""} == {**alone, "prediction_id": ""}


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_bad_picture_has_the_reason_in_its_place_and_spoils_no_other(client: TestClient, place: int) -> None:
    files = [("a", plain("red")), ("b", plain("blue"))]
    files.insert(place, ("bad.jpg", b"no picture"))
    answers = post(client, *files)
    bad = answers.pop(place)
    assert (bad["filename"], set(bad)) == ("bad.jpg", {"filename", "detail"})
    assert bad["detail"].startswith("This is no picture")
    assert [answer["prediction"] for answer in answers] == ["red", "blue"]


def test_as_many_as_are_allowed_are_answered_and_one_more_is_refused(client: TestClient) -> None:
    files = [("x", plain("red", (8, 8)))] * MAX_PICTURES
    assert [answer["prediction"] for answer in post(client, *files)] == ["red"] * MAX_PICTURES
    refused = client.post("/classify/batch", files=[("files", file) for file in [*files, files[0]]])
    assert refused.status_code == 400
    assert "Maximum number of files is 64" in refused.json()["detail"]
    assert 'Send up to 64 pictures, each as a multipart field "files": curl' in refused.json()["detail"]


def test_without_a_picture_it_is_said_how_to_send_some(client: TestClient) -> None:
    answer = client.post("/classify/batch/", files={"file": plain("red")})
    assert answer.status_code == 422
    assert 'curl -F "files=@one.jpg"' in answer.json()["detail"]


def test_together_they_are_within_the_limit_of_a_request(client: TestClient) -> None:
    assert client.post("/classify/batch", files=[("files", bytes(30_000))] * 2).status_code == 413


def test_all_answers_of_a_batch_are_of_one_version(
    client: TestClient, folder: FolderStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, seen = threading.Event(), list[str]()
    answer = Classifier.infer

    def note_and_wait(self: Classifier, batch: Any) -> ModelOutput:
        if threading.current_thread().name != "model reloader":
            seen.append(self.card.version)
            gate.wait(20)
        return answer(self, batch)

    monkeypatch.setattr(Classifier, "infer", note_and_wait)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(post, client, ("a", plain("red")), ("b", plain("red")), ("c", plain("red")))
        until(lambda: seen == ["r1"])
        publish(folder, "r2")
        until(lambda: client.get("/readyz").json()["model_version"] == "r2")
        gate.set()
        assert [answer["model_version"] for answer in asked.result()] == ["r1"] * 3
    assert post(client, ("a", plain("red")))[0]["model_version"] == "r2"


def test_a_batch_lets_single_pictures_in_between(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    answer = Classifier.infer

    def note(self: Classifier, batch: Any) -> ModelOutput:
        order.append("red" if batch[0, 0, 0, 0] > 0 else "blue")
        threading.Event().wait(0.02)
        return answer(self, batch)

    monkeypatch.setattr(Classifier, "infer", note)
    with ThreadPoolExecutor(1) as pool:
        batch = pool.submit(post, client, *[("x", plain("red", (8, 8)))] * 40)
        until(lambda: len(order) > 2)
        assert client.post("/classify/", files={"file": plain("blue")}).json()["prediction"] == "blue"
        assert len(batch.result()) == 40
    assert order.index("blue") < 30
