"""The Open Inference Protocol as its clients speak it: the public one of Triton, unchanged, and plain requests."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
from PIL import Image
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput, InferResult
from tritonclient.utils import InferenceServerException

from animals.preprocess import preprocess
from animals.serving.tokens import Tokens
from animals.storage import FolderStorage
from tests.support.cards import INPUT, SIDE
from tests.support.process import running
from tests.support.published import KEY, LABELS, certainty, plain, publish

INFER = "/v2/models/animals/infer"
COLOURS = ("red", "lime", "blue")
ANSWERS = ["red", "green", "blue"]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    place = tmp_path_factory.mktemp("service")
    folder = FolderStorage(place / "bucket")
    publish(folder)
    with running(place, ANIMALS_BUCKET=folder.url, ANIMALS_SECRET=KEY) as process:
        process.wait_until_ready()
        yield process.url.removeprefix("http://")
        assert process.end() == 0
        assert "Traceback" not in process.log


@pytest.fixture
def triton(url: str) -> Iterator[InferenceServerClient]:
    with InferenceServerClient(url) as client:
        yield client


def pictures(*files: bytes) -> InferInput:
    tensor = InferInput("picture", [len(files), 1], "BYTES")
    return tensor.set_data_from_numpy(np.array([[file] for file in files], object))


def pixels(*colours: str, binary: bool = True) -> InferInput:
    batch = np.stack([preprocess(Image.new("RGB", (40, 30), colour), INPUT) for colour in colours])
    return InferInput("input", list(batch.shape), "FP32").set_data_from_numpy(batch, binary_data=binary)


def texts(result: InferResult, name: str) -> list[str]:
    return [text if isinstance(text, str) else text.decode() for text in result.as_numpy(name).ravel()]


def test_tritons_client_learns_what_there_is(triton: InferenceServerClient) -> None:
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.is_model_ready("animals")
    assert triton.is_model_ready("animals", "r1")
    assert not triton.is_model_ready("animals", "r2")
    assert not triton.is_model_ready("dogs")
    assert "binary_tensor_data" in triton.get_server_metadata()["extensions"]
    found = triton.get_model_metadata("animals")
    assert (found["name"], found["versions"]) == ("animals", ["r1"])
    assert found == triton.get_model_metadata("animals", "r1")
    assert found["inputs"] == [
        {"name": "picture", "datatype": "BYTES", "shape": [-1, 1]},
        {"name": "input", "datatype": "FP32", "shape": [-1, 3, SIDE, SIDE]},
    ]
    assert [(output["name"], output["datatype"], output["shape"]) for output in found["outputs"]] == [
        ("label", "BYTES", [-1, 1]),
        ("confidence", "FP32", [-1, 1]),
        ("probabilities", "FP32", [-1, 3]),
        ("prediction_id", "BYTES", [-1, 1]),
    ]
    assert found["outputs"][2]["parameters"] == {"labels": list(LABELS)}


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_tritons_client_sends_files_and_gets_every_output(triton: InferenceServerClient, kind: str) -> None:
    files = [plain(colour, kind=kind) for colour in COLOURS]
    result = triton.infer("animals", [pictures(*files)], request_id="7")
    answered = result.get_response()
    assert (answered["model_name"], answered["model_version"], answered["id"]) == ("animals", "r1", "7")
    assert texts(result, "label") == ANSWERS
    probabilities = result.as_numpy("probabilities")
    assert probabilities.dtype == np.float32
    assert probabilities == pytest.approx(
        np.array([certainty(1, 0, 0), certainty(0, 1, 0), certainty(0, 0, 1)]), abs=0.02
    )
    assert result.as_numpy("confidence").ravel().tolist() == probabilities.max(axis=1).tolist()
    carried = [Tokens(KEY).read(token) for token in texts(result, "prediction_id")]
    assert [answer.prediction for answer in carried] == ANSWERS


@pytest.mark.parametrize("binary", [True, False])
def test_tritons_client_sends_prepared_pictures(triton: InferenceServerClient, binary: bool) -> None:
    result = triton.infer("animals", [pixels(*COLOURS, binary=binary)], model_version="r1")
    assert texts(result, "label") == ANSWERS
    assert result.as_numpy("probabilities")[1] == pytest.approx(certainty(0, 1, 0), abs=1e-6)


def test_tritons_client_chooses_outputs_each_in_json_or_binary(triton: InferenceServerClient) -> None:
    wanted = [
        InferRequestedOutput("probabilities", binary_data=False),
        InferRequestedOutput("label", binary_data=True),
        InferRequestedOutput("confidence", binary_data=True),
    ]
    result = triton.infer("animals", [pictures(plain("blue"))], outputs=wanted)
    assert [output["name"] for output in result.get_response()["outputs"]] == ["probabilities", "label", "confidence"]
    assert "data" in result.get_output("probabilities")
    assert "data" not in result.get_output("label")
    assert texts(result, "label") == ["blue"]
    assert result.as_numpy("confidence")[0, 0] == pytest.approx(result.as_numpy("probabilities").max())
    assert result.as_numpy("prediction_id") is None


def test_tritons_client_gets_the_likeliest_labels(triton: InferenceServerClient) -> None:
    wanted = [InferRequestedOutput("probabilities", class_count=2)]
    result = triton.infer("animals", [pictures(plain("blue"), plain("lime"))], outputs=wanted)
    ranked = [[text.decode().split(":") for text in row] for row in result.as_numpy("probabilities")]
    assert [row[0][1:] for row in ranked] == [["2", "blue"], ["1", "green"]]
    assert float(ranked[0][0][0]) == pytest.approx(certainty(0, 0, 1)[2], abs=1e-5)


def test_tritons_client_is_told_what_is_wrong(triton: InferenceServerClient) -> None:
    with pytest.raises(InferenceServerException) as caught:
        triton.infer("animals", [pictures(plain("red"), b"no picture")])
    assert caught.value.status() == "400"
    assert caught.value.message().startswith("Picture 2 of 2: This is no picture")
    with pytest.raises(InferenceServerException, match=r"404.*no model \"dogs\""):
        triton.infer("dogs", [pictures(plain("red"))])
    with pytest.raises(InferenceServerException, match="Shared memory is not supported"):
        triton.infer("animals", [_in_shared_memory()])
    with pytest.raises(InferenceServerException, match=r"415.*Compressed"):
        triton.infer("animals", [pictures(plain("red"))], request_compression_algorithm="gzip")


def _in_shared_memory() -> InferInput:
    tensor = InferInput("picture", [1, 1], "BYTES")
    tensor.set_shared_memory("region", 4)
    return tensor


def test_many_clients_at_once_get_each_their_own_answers(url: str) -> None:
    def ask(number: int) -> bool:
        colour, answer = COLOURS[number % 3], ANSWERS[number % 3]
        with InferenceServerClient(url) as client:
            asked = [pictures(plain(colour))] if number % 2 else [pixels(colour)]
            return all(
                texts(client.infer("animals", asked, request_id=f"{number} {turn}"), "label") == [answer]
                for turn in range(8)
            )

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(8)))


def test_one_client_has_several_requests_on_their_way(url: str) -> None:
    with InferenceServerClient(url, concurrency=4) as client:
        asked = [client.async_infer("animals", [pictures(plain(colour))]) for colour in COLOURS * 4]
        assert [texts(request.get_result(), "label")[0] for request in asked] == ANSWERS * 4


def test_a_client_that_goes_away_before_it_has_sent_all_is_no_fault_of_the_service(url: str) -> None:
    host, _, port = url.partition(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(f"POST {INFER} HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\n{{".encode())
    assert httpx.get(f"http://{url}/v2/health/live").status_code == 200  # and no traceback in the log, says `url`
