import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient

from animals import registry
from animals.api import ModelInfo, Prediction, Problem
from animals.cpus import available_cpus
from animals.errors import ConfigError
from animals.records import Rejection
from animals.serving.app import create_app
from animals.serving.classifier import Classifier
from animals.serving.decoder import ModelInput
from animals.serving.settings import BackendSettings
from animals.storage import FolderStorage
from tests.support.published import KEY, LABELS, Started, certainty, colour_model, plain, publish, until

PATHS = ("/classify/", "/", "/model", "/healthz", "/readyz")


def reason_not_ready(client: TestClient) -> str:
    """Why no model serves, once loading has been tried."""
    until(lambda: "being loaded" not in client.get("/readyz").text)
    response = client.get("/readyz")
    assert response.status_code == 503
    return Problem.model_validate_json(response.content).detail


def test_a_picture_is_answered_with_a_prediction(client: TestClient) -> None:
    response = client.post("/classify/", files={"file": ("lime.png", plain("lime"), "image/png")})
    assert response.status_code == 200
    prediction = Prediction.model_validate_json(response.content)
    assert (prediction.filename, prediction.prediction, prediction.model_version) == ("lime.png", "green", "r1")
    assert list(prediction.probabilities) == list(LABELS)
    assert list(prediction.probabilities.values()) == pytest.approx(certainty(0, 1, 0), abs=1e-6)
    assert prediction.confidence == prediction.probabilities["green"]
    assert sum(prediction.probabilities.values()) == pytest.approx(1, abs=1e-12)


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
    response = client.get("/").json()
    assert response["model_version"] == "r1"
    assert client.get(response["docs"]).status_code == 200
    assert client.post(response["classify"], files={"file": plain("red")}).status_code == 200
    assert response["example"] == 'curl -F "file=@picture.jpg" http://testserver/classify/'


def test_the_model_is_described_by_the_public_part_of_its_card(
    started: Started, settings: BackendSettings, folder: FolderStorage
) -> None:
    rejection = Rejection(threshold=0.4, accepted=0.95, refused=0.5, pictures=30, others=20, source="made up")
    publish(folder, rejection=rejection)
    with started(settings) as client:
        until(lambda: client.get("/readyz").status_code == 200)
        response = client.get("/model")
    info = ModelInfo.model_validate_json(response.content)
    assert (info.version, info.labels, info.architecture) == ("r1", LABELS, "colour")
    assert (info.input.side, info.metrics.accuracy, info.unknown_below, info.data_title) == (8, 0.9, 0.4, "")
    assert "secret_of_the_run" not in response.text


def test_the_docs_page_reads_the_openapi_document(client: TestClient) -> None:
    assert "'/openapi.json'" in client.get("/docs").text


def test_without_a_model_the_service_is_alive_but_not_ready(started: Started, settings: BackendSettings) -> None:
    with started(settings.model_copy(update={"reload_seconds": 6.5})) as client:
        assert "No model is published" in reason_not_ready(client)
        assert client.get("/healthz").json() == {"status": "alive"}
        assert client.get("/").json()["model_version"] is None
        for response in (
            client.get("/readyz"),
            client.get("/model"),
            client.post("/classify/", files={"file": plain("red")}),
        ):
            assert response.status_code == 503
            assert response.headers["retry-after"] == "7"
            assert "invoke train" in response.json()["detail"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": ("red", "green")}, "2 labels"),
        ({"files": {}}, "not the file that was published"),
    ],
)
def test_a_version_that_does_not_fit_its_card_is_not_served(
    started: Started, settings: BackendSettings, folder: FolderStorage, changes: dict[str, Any], message: str
) -> None:
    publish(folder)
    card = registry.read_card(folder, "r1").model_copy(update=changes)
    folder.write(registry.file_name("r1", registry.CARD), card.model_dump_json().encode())
    with started(settings) as client:
        assert message in reason_not_ready(client)
        assert client.post("/classify/", files={"file": plain("red")}).status_code == 503


def test_any_number_of_labels_is_served(started: Started, settings: BackendSettings, folder: FolderStorage) -> None:
    labels = tuple(f"label {number}" for number in range(25))
    publish(folder, model=colour_model(25), labels=labels)
    with started(settings) as client:
        until(lambda: client.get("/readyz").status_code == 200)
        response = client.post("/classify/", files={"file": plain("lime")}).json()
    assert response["prediction"] == "label 1"
    assert tuple(response["probabilities"]) == labels


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
    assert [response.result().status_code for response in answers] == [200] * requests
    assert most == available_cpus()


def test_a_bucket_that_cannot_be_is_refused_before_the_start() -> None:
    with pytest.raises(ConfigError, match="s3://somewhere"):
        create_app(BackendSettings(bucket="s3://somewhere", secret=KEY))


def test_settings_come_from_the_environment_when_none_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANIMALS_MAX_PIXELS", "many")
    with pytest.raises(ConfigError, match="ANIMALS_MAX_PIXELS=many"):
        create_app()
