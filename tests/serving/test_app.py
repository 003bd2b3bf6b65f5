import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient

from animals import registry
from animals.api import Prediction, Problem
from animals.cpus import available_cpus
from animals.errors import ConfigError
from animals.records import Rejection
from animals.serving.app import create_app
from animals.serving.classifier import Classifier
from animals.serving.decoder import ModelInput
from animals.serving.settings import BackendSettings
from animals.serving.tokens import Tokens
from animals.storage import FolderStorage
from tests.support.published import KEY, LABELS, Started, certainty, colour_model, plain, publish, until

PATHS = ("/classify/", "/", "/model", "/healthz", "/readyz")


def reason_not_ready(client: TestClient) -> str:
    """Why no model serves, once loading has been tried."""
    until(lambda: "being loaded" not in client.get("/readyz").text)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    return Problem.model_validate_json(answer.content).detail


def test_a_picture_is_answered_with_a_prediction(client: TestClient) -> None:
    response = client.post("/classify/", files={"file": ("lime.png", plain("lime"), "image/png")})
    assert response.status_code == 200
    answer = Prediction.model_validate_json(response.content)
    assert (answer.filename, answer.prediction, answer.model_version) == ("lime.png", "green", "r1")
    assert list(answer.probabilities) == list(LABELS)
    assert list(answer.probabilities.values()) == pytest.approx(certainty(0, 1, 0), abs=1e-6)
    assert answer.confidence == answer.probabilities["green"]
    assert sum(answer.probabilities.values()) == pytest.approx(1, abs=1e-12)


def test_the_prediction_id_carries_the_answer(client: TestClient) -> None:
    answer = client.post("/classify/", files={"file": plain("blue")}).json()
    carried = Tokens(KEY).read(answer["prediction_id"])
    assert (carried.prediction, carried.version) == ("blue", "r1")
    assert carried.probabilities == pytest.approx(answer["probabilities"], abs=1e-5)


@pytest.mark.parametrize("path", [*PATHS, "/docs"])
def test_both_spellings_of_a_path_answer_without_a_redirect(client: TestClient, path: str) -> None:
    method, content = ("POST", {"file": plain("red")}) if path == "/classify/" else ("GET", None)
    answers = [
        client.request(method, spelling, files=content, follow_redirects=False)
        for spelling in (path.rstrip("/") or "/", path.rstrip("/") + "/")
    ]
    assert [answer.status_code for answer in answers] == [200, 200]


def test_the_openapi_document_has_each_path_once_and_its_problems(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    elsewhere = ("/v2", "/classify/batch", "/post_data")
    assert tuple(path for path in document["paths"] if not path.startswith(elsewhere)) == PATHS
    responses = document["paths"]["/classify/"]["post"]["responses"]
    assert set(responses) == {"200", "400", "401", "408", "413", "415", "422", "429", "503"}
    problem = {"$ref": "#/components/schemas/Problem"}
    assert all(
        responses[status]["content"]["application/json"]["schema"] == problem for status in responses if status != "200"
    )
    assert "HTTPValidationError" not in document["components"]["schemas"]
    assert set(document["paths"]["/readyz"]["get"]["responses"]) == {"200", "503"}


def test_the_welcome_says_what_serves_and_where_to_go(client: TestClient) -> None:
    answer = client.get("/").json()
    assert answer["model_version"] == "r1"
    assert client.get(answer["docs"]).status_code == 200
    assert client.post(answer["classify"], files={"file": plain("red")}).status_code == 200
    assert answer["example"] == 'curl -F "file=@picture.jpg" http://testserver/classify/'


def test_the_model_is_described_by_the_public_part_of_its_card(client: TestClient) -> None:
    answer = client.get("/model").json()
    assert answer["version"] == "r1"
    assert answer["labels"] == list(LABELS)
    assert answer["architecture"] == "colour"
    assert answer["input"]["side"] == 8
    assert answer["metrics"]["accuracy"] == 0.9
    assert answer["unknown_below"] == 0
    assert answer["data_title"] is None
    assert {"created", "promoted"} < set(answer)
    assert "secret_of_the_run" not in str(answer)


def test_the_model_tells_under_which_confidence_an_answer_counts_as_none_of_the_labels(
    started: Started, settings: BackendSettings, folder: FolderStorage
) -> None:
    publish(
        folder,
        rejection=Rejection(threshold=0.4, accepted=0.95, refused=0.5, pictures=30, others=20, source="made up"),
    )
    with started(settings) as client:
        until(lambda: client.get("/readyz").status_code == 200)
        assert client.get("/model").json()["unknown_below"] == 0.4


def test_the_docs_page_reads_the_openapi_document(client: TestClient) -> None:
    assert "'/openapi.json'" in client.get("/docs").text


def test_without_a_model_the_service_is_alive_but_not_ready(started: Started, settings: BackendSettings) -> None:
    with started(settings.model_copy(update={"reload_seconds": 6.5})) as client:
        assert "No model is published" in reason_not_ready(client)
        assert client.get("/healthz").json() == {"status": "alive"}
        assert client.get("/").json()["model_version"] is None
        for answer in (
            client.get("/readyz"),
            client.get("/model"),
            client.post("/classify/", files={"file": plain("red")}),
        ):
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "7"
            assert "invoke train" in answer.json()["detail"]


def test_a_model_published_later_makes_it_ready(
    started: Started, settings: BackendSettings, folder: FolderStorage
) -> None:
    with started(settings) as client:
        reason_not_ready(client)
        publish(folder)
        until(lambda: client.get("/readyz").status_code == 200)
        answer = client.get("/readyz")
        assert answer.json() == {"status": "ready", "model_version": "r1"}
        assert "retry-after" not in answer.headers


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"labels": ("red", "green")}, "2 labels"),
        ({"files": {}}, "not the file that was published"),
        ({"files": {registry.ONNX: registry.describe(b"another")}}, "checksum"),
    ],
)
def test_a_version_that_does_not_fit_its_card_is_not_served(
    started: Started, settings: BackendSettings, folder: FolderStorage, changes: dict[str, Any], said: str
) -> None:
    publish(folder)
    card = registry.read_card(folder, "r1").model_copy(update=changes)
    folder.write(registry.file_name("r1", registry.CARD), card.model_dump_json().encode())
    with started(settings) as client:
        assert said in reason_not_ready(client)
        assert client.post("/classify/", files={"file": plain("red")}).status_code == 503


def test_a_version_without_its_file_is_not_served(
    started: Started, settings: BackendSettings, folder: FolderStorage
) -> None:
    publish(folder)
    folder.delete(registry.file_name("r1", registry.ONNX))
    with started(settings) as client:
        assert "model.onnx is missing" in reason_not_ready(client)


def test_a_damaged_pointer_is_not_followed(started: Started, settings: BackendSettings, folder: FolderStorage) -> None:
    folder.write(registry.CURRENT, b"{")
    with started(settings) as client:
        assert "models/current.json" in reason_not_ready(client)


def test_any_number_of_labels_is_served(started: Started, settings: BackendSettings, folder: FolderStorage) -> None:
    labels = tuple(f"label {number}" for number in range(25))
    publish(folder, model=colour_model(25), labels=labels)
    with started(settings) as client:
        until(lambda: client.get("/readyz").status_code == 200)
        answer = client.post("/classify/", files={"file": plain("lime")}).json()
    assert answer["prediction"] == "label 1"
    assert tuple(answer["probabilities"]) == labels


def test_at_most_as_many_pictures_as_cpus_are_worked_on_and_others_are_answered_meanwhile(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    working, most, lock, release = 0, 0, threading.Lock(), threading.Event()
    prepare = Classifier.decode

    def slow(self: Classifier, picture: bytes) -> ModelInput:
        nonlocal working, most
        with lock:
            working += 1
            most = max(most, working)
        release.wait(10)
        with lock:
            working -= 1
        return prepare(self, picture)

    monkeypatch.setattr(Classifier, "decode", slow)
    requests = available_cpus() + 3
    with ThreadPoolExecutor(requests) as pool:
        answers = [pool.submit(client.post, "/classify/", files={"file": plain("red")}) for _ in range(requests)]
        until(lambda: working == available_cpus())
        assert client.get("/healthz").status_code == 200
        assert client.get("/model").status_code == 200
        time.sleep(0.1)  # for one too many to come, if it would
        release.set()
    assert [answer.result().status_code for answer in answers] == [200] * requests
    assert most == available_cpus()


def test_a_bucket_that_cannot_be_is_refused_before_the_start() -> None:
    with pytest.raises(ConfigError, match="s3://somewhere"):
        create_app(BackendSettings(bucket="s3://somewhere", secret=KEY))


def test_settings_come_from_the_environment_when_none_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANIMALS_MAX_PIXELS", "many")
    with pytest.raises(ConfigError, match="ANIMALS_MAX_PIXELS=many"):
        create_app()
