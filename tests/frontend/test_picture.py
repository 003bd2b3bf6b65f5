from io import BytesIO

import pytest
from PIL import Image

from animals.animals10 import ANIMALS10_LABELS
from animals.frontend.picture import PREVIEW_SIDE, Picture, preview
from animals.frontend.upload import KINDS, OTHER, example, fitting_examples
from animals.preprocess import FORMATS, open_picture
from tests.support.pictures import turned
from tests.support.published import encode


def shown(data: bytes) -> Image.Image:
    small = preview(data)
    assert small is not None
    return open_picture(small)


def test_a_preview_is_upright_and_small() -> None:
    data = encode(Image.new("RGB", (4000, 3000), "lime"), "JPEG", exif=turned(6))
    picture = shown(data)
    assert picture.height == PREVIEW_SIDE
    assert picture.width == pytest.approx(PREVIEW_SIDE * 3 / 4, abs=2)


def test_a_preview_carries_nothing_of_what_the_camera_wrote() -> None:
    data = encode(Image.new("RGB", (40, 30)), "JPEG", exif=turned(6), comment=b"at home")
    small = preview(data)
    assert small is not None
    assert b"at home" not in small
    assert not Image.open(BytesIO(small)).getexif()


def test_what_is_no_picture_has_no_preview() -> None:
    assert preview(b"hello") is None


def test_the_same_content_under_two_names_is_one_picture() -> None:
    assert Picture("a.png", b"1").digest == Picture("b.png", b"1").digest != Picture("a.png", b"2").digest


@pytest.mark.parametrize("name", fitting_examples(ANIMALS10_LABELS))
def test_each_example_is_a_small_picture(name: str) -> None:
    picture = example(name)
    assert len(picture.data) < 50_000
    assert max(open_picture(picture.data).size) <= 300


def test_examples_are_those_of_the_models_labels_and_one_of_none() -> None:
    assert fitting_examples(("dog", "cat", "spider")) == ["cat", "spider", OTHER]
    assert fitting_examples(("ripe", "unripe", "rotten")) == []
    assert fitting_examples((OTHER, "bus")) == [OTHER]


def test_each_kind_of_file_that_can_be_brought_is_one_that_the_backend_reads() -> None:
    known = {ending.lstrip(".") for ending, kind in Image.registered_extensions().items() if kind in FORMATS}
    assert set(KINDS) <= known
