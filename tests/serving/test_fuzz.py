"""Thousands of random requests: each is answered as the document promises, none by an error of ours.

`ANIMALS_FUZZ` multiplies the number of inputs: `ANIMALS_FUZZ=20 pytest tests/serving/test_fuzz.py`.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from PIL import Image
from schemathesis import BaseSchema
from schemathesis.checks import negative_data_rejection, positive_data_acceptance
from schemathesis.core.result import Ok

from animals.api import Problem
from animals.errors import PictureError
from animals.preprocess import FORMATS, decode_picture
from animals.serving.app import create_app
from animals.serving.settings import BackendSettings
from animals.storage import FolderStorage
from tests.support.cards import INPUT
from tests.support.pictures import turned
from tests.support.process import Process, running
from tests.support.published import KEY, encode, plain, publish, until

TIMES = int(os.environ.get("ANIMALS_FUZZ", "1"))


def fuzz(inputs: int) -> settings:
    """Return settings for a number of inputs, the same each time unless more are asked for."""
    return settings(
        max_examples=inputs * TIMES,
        deadline=None,
        derandomize=TIMES == 1,
        database=None,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )


def _animated(kind: str) -> bytes:
    frames = [Image.effect_noise((16, 12), 90).convert("P") for _ in range(3)]
    return encode(frames[0], kind, save_all=True, append_images=frames[1:])


SEEDS = [
    *(encode(Image.effect_noise((16, 12), 90).convert("RGB"), kind) for kind in FORMATS),
    *(encode(Image.new(mode, (9, 7)), kind) for mode, kind in [("CMYK", "JPEG"), ("L", "JPEG"), ("I;16", "PNG")]),
    encode(Image.new("P", (9, 7)), "PNG", transparency=0),
    encode(Image.new("RGBA", (9, 7)), "WEBP"),
    encode(Image.effect_noise((40, 30), 90), "JPEG", progressive=True),
    encode(Image.new("1", (9, 7)), "TIFF", compression="group4"),
    encode(Image.new("RGB", (9, 7)), "TIFF", compression="tiff_lzw"),
    _animated("GIF"),
    _animated("WEBP"),
    encode(Image.effect_noise((16, 12), 90), "JPEG", exif=turned(6)),
    plain("red", (1200, 900), "JPEG"),  # decoded at reduced scale
]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A picture's file in which something was changed, left out, doubled or put in."""
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 6))):
        place, length = draw(st.integers(0, len(data))), draw(st.sampled_from([1, 1, 2, 4, 8, 64, 1000]))
        kind = draw(st.sampled_from(["change", "change", "change", "cut", "double", "insert", "end"]))
        if kind == "change":
            data[place : place + length] = draw(st.binary(min_size=length, max_size=length))[: len(data) - place]
        elif kind == "cut":
            del data[place : place + length]
        elif kind == "double":
            data[place:place] = data[place : place + length]
        elif kind == "insert":
            data[place:place] = draw(st.binary(max_size=length))
        else:
            del data[place:]
    return bytes(data)


@fuzz(1500)
@given(damaged() | st.binary(max_size=300))
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::ResourceWarning")  # Pillow's, of odd metadata
def test_whatever_is_decoded_gives_a_picture_or_says_that_it_is_none(data: bytes) -> None:
    try:
        decoded = decode_picture(data, max_pixels=2_000_000, spec=INPUT)
    except PictureError:
        return
    assert decoded.image.mode == "RGB"
    assert min(decoded.size) > 0


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = FolderStorage(tmp_path_factory.mktemp("fuzz") / "bucket")
    publish(folder)
    service = BackendSettings(bucket=folder.url, secret=KEY, max_pixels=2_000_000, max_upload_bytes=50_000)
    with TestClient(create_app(service)) as client:
        until(lambda: client.get("/readyz").status_code == 200)
        yield client


@fuzz(250)
@given(data=damaged(), name=st.text(max_size=30), kind=st.sampled_from(["image/jpeg", "text/html", "x", ""]))
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::ResourceWarning")
def test_whatever_is_sent_as_a_picture_is_answered_or_refused(
    app: TestClient, data: bytes, name: str, kind: str
) -> None:
    response = app.post("/classify/", files={"file": (name, data, kind)})
    assert response.status_code in (200, 400, 413, 415, 422)
    if response.status_code != 200:
        assert Problem.model_validate_json(response.content).detail


@fuzz(250)
@given(body=st.binary(max_size=500) | st.binary(max_size=200).map(lambda rest: b"--x\r\nContent-Disposition: " + rest))
def test_whatever_is_sent_as_a_form_is_refused(app: TestClient, body: bytes) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    assert 400 <= app.post("/classify/", content=body, headers=headers).status_code < 500


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    folder = tmp_path_factory.mktemp("process")
    publish(FolderStorage(folder / "bucket"))
    with running(folder, ANIMALS_BUCKET=str(folder / "bucket")) as process:
        process.wait_until_ready()
        yield process


@pytest.fixture(scope="module")
def document(process: Process) -> BaseSchema:
    return schemathesis.openapi.from_url(f"{process.url}/openapi.json")


@pytest.mark.parametrize("mode", schemathesis.GenerationMode)
def test_every_address_keeps_to_the_document(document: BaseSchema, mode: schemathesis.GenerationMode) -> None:
    for found in document.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        cases = operation.as_strategy(generation_mode=mode)

        @fuzz(10)
        @given(cases)
        def keeps_to_the_document(case: schemathesis.Case[Any]) -> None:
            # what fits the document need not be a picture, and in a form everything is text
            case.call_and_validate(excluded_checks=[positive_data_acceptance, negative_data_rejection])

        with suppress(Unsatisfiable):  # an address without an input cannot be asked wrongly
            keeps_to_the_document()


def test_after_all_that_the_process_is_well(process: Process) -> None:
    assert httpx.get(f"{process.url}/readyz").status_code == 200
    assert "Traceback" not in process.log
