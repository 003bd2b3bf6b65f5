"""The requests and feedback of a demo, and its errors."""

from base64 import b64decode
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image

from animals import registry
from animals.errors import DataError, NoModel, RequestRefused, ServiceError
from animals.frontend.clients import Backend, local_session
from animals.frontend.http_client import HttpClient
from animals.local.demo_traffic import Counts, LabelledPicture, labelled_pictures, send
from animals.storage import FolderStorage
from tests.support.emulator import free_port
from tests.support.http import Request, Response, json_response
from tests.support.pictures import COLORS, write_picture
from tests.support.published import colour_model, make_card
from tests.support.stand_in import StandIn, busy

PREDICTION = json_response(
    {
        "filename": "1.jpg",
        "prediction": "red",
        "confidence": 0.9,
        "probabilities": {"red": 0.9, "blue": 0.1},
        "model_version": "r1",
        "prediction_id": "a-token",
    }
)


def store(request: Request) -> Response:
    feedback = request.json()
    return json_response({"stored": True, "id": "1", "label": feedback["x"], "picture": "picture" in feedback})


@pytest.fixture
def server() -> Iterator[StandIn]:
    with StandIn() as service:
        service.responses = {"/classify/": [PREDICTION], "/post_data/": store}
        yield service


@pytest.fixture
def pictures(tmp_path: Path) -> list[LabelledPicture]:
    pictures = []
    for number in range(40):
        label = ("red", "blue")[number % 2]
        path = tmp_path / "pictures" / label / f"{number}.jpg"
        write_picture(path, COLORS[label], seed=number)
        pictures.append(LabelledPicture(path, label))
    return pictures


def send_to(url: str, pictures: list[LabelledPicture]) -> Counts:
    return send(Backend(HttpClient("The backend", url, local_session())), pictures, after_each=lambda: None)


def test_each_picture_is_classified_and_its_label_sent_as_feedback(
    server: StandIn, pictures: list[LabelledPicture]
) -> None:
    counts = send_to(server.url, pictures)
    feedback = [request.json() for request in server.received("/post_data/")]
    assert [record["x"] for record in feedback] == [picture.label for picture in pictures]
    assert {record["prediction_id"] for record in feedback} == {"a-token"}
    assert (counts.classified, counts.with_feedback, counts.correct) == (40, 40, 20)
    stored = [b64decode(record["picture"]) for record in feedback if "picture" in record]
    assert 0 < len(stored) == counts.stored < 20
    assert all(Image.open(BytesIO(data)).format == "JPEG" for data in stored)
    sent = [request.body for request in server.received("/classify/")]
    unchanged = sum(picture.path.read_bytes() in body for picture, body in zip(pictures, sent, strict=True))
    assert 20 < unchanged == 40 - counts.corrupted < 40
    assert all(any(data in body for body in sent) for data in stored)


def test_a_busy_backend_is_retried(server: StandIn, pictures: list[LabelledPicture]) -> None:
    server.responses["/classify/"] = [busy("Busy.", 1), PREDICTION]
    assert send_to(server.url, pictures[:1]).with_feedback == 1
    assert [request.path for request in server.requests] == ["/classify/", "/classify/", "/post_data/"]


def test_a_backend_that_refuses_or_does_not_run_is_an_error(server: StandIn, pictures: list[LabelledPicture]) -> None:
    server.responses["/classify/"] = [json_response({"detail": "Not this one."}, 415)]
    with pytest.raises(RequestRefused, match="Not this one"):
        send_to(server.url, pictures)
    with pytest.raises(ServiceError, match="The backend cannot be reached"):
        send_to(f"http://127.0.0.1:{free_port()}", pictures)


def publish_with_test_pictures(bucket: FolderStorage, root: Path, table: pd.DataFrame) -> None:
    file = BytesIO()
    table.to_parquet(file, index=False)
    files = {registry.ONNX: colour_model(), registry.REFERENCE: file.getvalue()}
    described = {name: registry.describe(data) for name, data in files.items()}
    config: dict[str, Any] = {"data": {"root": str(root)}}
    registry.write_version(bucket, make_card(files[registry.ONNX], files=described, config=config), files)
    registry.promote(bucket, "r1", reason="test")


def test_the_pictures_are_the_versions_test_pictures(pictures: list[LabelledPicture], tmp_path: Path) -> None:
    bucket, root = FolderStorage(tmp_path / "bucket"), tmp_path / "pictures"
    with pytest.raises(NoModel):
        labelled_pictures(bucket)
    names = [picture.path.relative_to(root).as_posix() for picture in pictures]
    labels = [picture.label for picture in pictures]
    table = pd.DataFrame({"picture": [*names, "missing.jpg"], "target": [*labels, "red"]})
    publish_with_test_pictures(bucket, root, table)
    result = labelled_pictures(bucket)
    assert set(result) == set(pictures)
    assert result == labelled_pictures(bucket) != pictures


def test_missing_test_pictures_are_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    bucket = FolderStorage(tmp_path / "bucket")
    publish_with_test_pictures(bucket, tmp_path / "nowhere", pd.DataFrame({"picture": ["a.jpg"], "target": ["red"]}))
    with pytest.raises(DataError, match=r"not on this machine; expected them in .*nowhere.*invoke demo"):
        labelled_pictures(bucket)
