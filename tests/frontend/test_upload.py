from io import BytesIO

import pytest
from PIL import Image

from animals.animals10 import ANIMALS10_LABELS
from animals.frontend.upload import (
    FILE_TYPES,
    PREVIEW_SIDE,
    UNKNOWN_EXAMPLE,
    Picture,
    examples_for,
    make_preview,
    read_example,
)
from animals.preprocess import FORMATS, open_picture
from tests.support.pictures import turned
from tests.support.published import encode


def test_a_preview_is_upright_and_small() -> None:
    preview = make_preview(encode(Image.new("RGB", (4000, 3000), "lime"), "JPEG", exif=turned(6)))
    assert preview is not None
    picture = open_picture(preview)
    assert picture.height == PREVIEW_SIDE
    assert picture.width == pytest.approx(PREVIEW_SIDE * 3 / 4, abs=2)


def test_a_preview_has_no_metadata() -> None:
    preview = make_preview(encode(Image.new("RGB", (40, 30)), "JPEG", exif=turned(6), comment=b"at home"))
    assert preview is not None
    assert b"at home" not in preview
    assert not Image.open(BytesIO(preview)).getexif()


def test_a_file_that_is_no_picture_has_no_preview() -> None:
    assert make_preview(b"hello") is None


def test_the_digest_depends_on_the_content_only() -> None:
    assert Picture("a.png", b"1").digest == Picture("b.png", b"1").digest != Picture("a.png", b"2").digest


@pytest.mark.parametrize("name", examples_for(ANIMALS10_LABELS))
def test_each_example_is_a_small_picture(name: str) -> None:
    picture = read_example(name)
    assert len(picture.data) < 50_000
    assert max(open_picture(picture.data).size) <= 300


@pytest.mark.parametrize(
    ("labels", "examples"),
    [
        (("dog", "cat", "spider"), ["cat", "spider", UNKNOWN_EXAMPLE]),
        (("ripe", "unripe", "rotten"), []),
        ((UNKNOWN_EXAMPLE, "bus"), [UNKNOWN_EXAMPLE]),
    ],
)
def test_examples_are_those_of_the_models_labels_and_an_unknown_one(
    labels: tuple[str, ...], examples: list[str]
) -> None:
    assert examples_for(labels) == examples


def test_the_backend_reads_each_file_type() -> None:
    readable = {extension.lstrip(".") for extension, kind in Image.registered_extensions().items() if kind in FORMATS}
    assert set(FILE_TYPES) <= readable
