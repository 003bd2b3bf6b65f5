"""Metrics tell what happened, and clients cannot add labels."""

import time

import pytest
from fastapi.testclient import TestClient

from animals.serving.metrics import OUTCOMES, STAGES, Metrics
from animals.serving.settings import BackendSettings
from animals.storage import FolderStorage
from tests.support.metrics import Samples, samples, value
from tests.support.published import LABELS, Started, colour_model, plain, publish, until


def scrape(client: TestClient) -> Samples:
    return samples(client.get("/metrics").text)


def label_values(parsed: Samples, label: str) -> set[str]:
    return {value for _, labels in parsed for name, value in labels if name == label}


def test_the_page_is_prometheus_text_without_a_line_for_when_each_count_began(client: TestClient) -> None:
    answer = client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    parsed = samples(answer.text)
    assert value(parsed, "animals_model_info", version="r1") == 1
    assert value(parsed, "process_resident_memory_bytes") > 1e6
    assert time.time() - 60 < value(parsed, "animals_model_created_timestamp_seconds") <= time.time()
    assert not [name for name, _ in parsed if name.endswith("_created") or name.startswith("python_")]


def test_each_picture_is_counted_by_stage_label_and_confidence(client: TestClient) -> None:
    confidences = [
        client.post("/classify/", files={"file": plain(colour)}).json()["confidence"]
        for colour in ("lime", "lime", "red")
    ]
    parsed = scrape(client)
    assert [value(parsed, "animals_predictions_total", label=label) for label in LABELS] == [1, 2, 0]
    assert value(parsed, "animals_prediction_confidence_count", label="green") == 2
    assert value(parsed, "animals_prediction_confidence_sum", label="green") == pytest.approx(sum(confidences[:2]))
    assert value(parsed, "animals_prediction_confidence_count", label="blue") == 0
    for stage in STAGES:
        assert value(parsed, "animals_stage_seconds_count", stage=stage) == 3, stage
    assert 0 < value(parsed, "animals_stage_seconds_sum", stage="decode") < 10


def test_requests_are_counted_by_route_and_status_whichever_spelling(client: TestClient) -> None:
    for path in ("/classify", "/classify/"):
        client.post(path, files={"file": plain("red")})
        client.post(path, files={"file": b"no picture"})
        client.post(path, files={"file": bytes(50_001)})  # refused before it is routed
    client.get("/classify/")
    parsed = scrape(client)
    requests = {
        status: value(parsed, "animals_requests_total", route="/classify", status=status)
        for status in ("200", "405", "413", "415")
    }
    assert requests == {"200": 2, "405": 1, "413": 2, "415": 2}
    assert value(parsed, "animals_request_seconds_count", route="/classify") == 7
    assert value(parsed, "animals_requests_in_flight") == 1  # the one that asks


def test_nothing_that_a_client_makes_up_becomes_a_label(client: TestClient) -> None:
    client.get("/madeup/path")
    client.get("/model?madeup=query")
    client.get("/v2/models/madeup/ready")
    client.request("MADEUP", "/model")
    client.post("/classify/", files={"file": ("madeup.png", plain("red"))}, headers={"User-Agent": "madeup"})
    text = client.get("/metrics").text
    assert "madeup" not in text.lower()
    parsed = samples(text)
    assert label_values(parsed, "route") == {"/readyz", "/model", "/classify", "/v2/models/{model}/ready", "other"}
    assert label_values(parsed, "label") == set(LABELS)
    assert label_values(parsed, "stage") == set(STAGES)
    assert label_values(parsed, "outcome") == {*OUTCOMES, "written", "dropped"}


def test_versions_that_came_to_serve_or_were_refused_are_counted(
    started: Started, settings: BackendSettings, folder: FolderStorage
) -> None:
    with started(settings) as client:
        until(lambda: value(scrape(client), "animals_reloads_total", outcome="unavailable") > 0)
        publish(folder)
        until(lambda: value(scrape(client), "animals_reloads_total", outcome="served") == 1)
        publish(folder, "r2", model=colour_model(4))
        until(lambda: value(scrape(client), "animals_reloads_total", outcome="refused") > 0)
        publish(folder, "r3")
        until(lambda: ("animals_model_info", frozenset({("version", "r3")})) in scrape(client))
        assert label_values(scrape(client), "version") == {"r3"}


def test_without_a_model_its_age_is_unknown() -> None:
    assert value(samples(Metrics().text().decode()), "animals_model_created_timestamp_seconds") == 0


def test_two_services_in_one_process_count_apart() -> None:
    first, second = Metrics(), Metrics()
    first.count_prediction("cat", 0.5)
    assert "cat" not in second.text().decode()
