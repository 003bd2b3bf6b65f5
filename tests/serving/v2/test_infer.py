"""Requests of the Open Inference Protocol, and which of them are refused."""

import base64
import json
import struct
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from numpy.typing import NDArray

from animals.serving.settings import BackendSettings
from tests.support.cards import SIDE
from tests.support.published import Started, plain, until

INFER = "/v2/models/animals/infer"


def post(client: TestClient, status: int, tensors: list[dict[str, Any]], behind: bytes = b"", **others: Any) -> Any:
    text = json.dumps({"inputs": tensors, **others}).encode()
    response = client.post(INFER, content=text + behind, headers={"Inference-Header-Content-Length": str(len(text))})
    assert response.status_code == status, response.text
    return response.json()


def refusal(client: TestClient, tensors: list[dict[str, Any]], behind: bytes = b"", **others: Any) -> str:
    answer = post(client, 400, tensors, behind, **others)
    assert list(answer) == ["error"]
    return str(answer["error"])


def in_json(*files: bytes, **changes: Any) -> dict[str, Any]:
    data = [base64.b64encode(file).decode() for file in files]
    return {"name": "picture", "datatype": "BYTES", "shape": [len(files)], "data": data, **changes}


def test_without_a_wish_the_answer_is_json(client: TestClient) -> None:
    answer = post(client, 200, [in_json(plain("red"), plain("blue"))])
    assert answer["outputs"][0] == {"name": "label", "datatype": "BYTES", "shape": [2, 1], "data": ["red", "blue"]}
    assert answer["outputs"][2]["shape"] == [2, 3]


def test_a_file_is_a_request_too(client: TestClient) -> None:
    response = client.post(INFER, content=plain("lime"), headers={"Inference-Header-Content-Length": "0"})
    assert response.json()["outputs"][0]["data"] == ["green"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "photo"}, '"photo" of type BYTES and shape [1]; expected either "picture"'),
        ({"datatype": "FP32"}, "expected either"),
        ({"shape": []}, "0 pictures"),
        ({"shape": [1, 2]}, "expected either"),
        ({"shape": [0]}, "0 pictures; expected 1 to 64"),
        ({"shape": [65]}, "65 pictures; expected 1 to 64"),
        ({"shape": [2]}, "must have 2 elements; it has 1"),
        ({"name": "input", "datatype": "FP32", "shape": [1, 3, 9, 9]}, f"shape [n, 3, {SIDE}, {SIDE}]"),
        ({"name": "input", "datatype": "FP64", "shape": [1, 3, SIDE, SIDE]}, "expected either"),
    ],
)
def test_an_input_that_the_model_does_not_take_is_refused(
    client: TestClient, changes: dict[str, Any], message: str
) -> None:
    assert message in refusal(client, [in_json(plain("red"), **changes)])


def test_two_inputs_are_refused(client: TestClient) -> None:
    assert "expected either" in refusal(client, [in_json(plain("red")), in_json(plain("red"))])


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 1e30])
def test_numbers_that_are_of_no_picture_are_refused(client: TestClient, wrong: float) -> None:
    batch: NDArray[np.float32] = np.zeros((2, 3, SIDE, SIDE), np.float32)
    batch[1, 2, 3, 4] = wrong
    size = {"binary_data_size": batch.nbytes}
    tensor = {"name": "input", "datatype": "FP32", "shape": list(batch.shape), "parameters": size}
    assert "Picture 2 of 2: A value" in refusal(client, [tensor], batch.tobytes())


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ([{"name": "logits"}], "not available"),
        ([{"name": "label"}, {"name": "label"}], "each once"),
        ([{"name": "label", "parameters": {"shared_memory_region": "r"}}], "Shared memory is not supported"),
        ([{"name": "label", "parameters": {"classification": 2}}], "at least 1"),
        ([{"name": "probabilities", "parameters": {"classification": 0}}], "at least 1"),
        ([{"name": "probabilities", "parameters": {"classification": "2"}}], "at least 1"),
    ],
)
def test_an_output_that_is_not_offered_is_refused(
    client: TestClient, outputs: list[dict[str, Any]], message: str
) -> None:
    assert message in refusal(client, [in_json(plain("red"))], outputs=outputs)


def test_more_likeliest_labels_than_there_are_are_all(client: TestClient) -> None:
    wanted = [{"name": "probabilities", "parameters": {"classification": 99}}]
    assert post(client, 200, [in_json(plain("red"))], outputs=wanted)["outputs"][0]["shape"] == [1, 3]


def test_every_refusal_below_v2_has_the_protocols_form(client: TestClient) -> None:
    answers = [
        client.get("/v2/nothing"),
        client.get(INFER),
        client.get("/v2/models/dogs"),
        client.get("/v2/models/animals/versions/r2"),
        client.post(INFER, content=bytes(50_001)),
        client.post(INFER, content=b"{}", headers={"Content-Length": "many"}),
    ]
    assert [answer.status_code for answer in answers] == [404, 405, 404, 404, 413, 400]
    assert [list(answer.json()) for answer in answers] == [["error"]] * len(answers)
    assert list(client.get("/v3").json()) == ["detail"]


def test_without_a_model_nothing_is_ready_but_the_process_lives(started: Started, settings: BackendSettings) -> None:
    with started(settings) as client:
        until(lambda: "No model is published" in client.get("/readyz").text)
        assert client.get("/v2").status_code == 200
        assert client.get("/v2/health/live").json() == {"live": True}
        for answer in (
            client.get("/v2/health/ready"),
            client.get("/v2/models/animals/ready"),
            client.post(INFER, content=struct.pack("4x")),
        ):
            assert answer.status_code == 503
            assert "invoke train" in answer.json()["error"]
