import os
from pathlib import Path

import numpy as np
import pytest

from animals.bulk.work import Model, classify_pictures, load, printable
from animals.errors import NoModel, StorageUnavailable
from animals.storage import FolderStorage, open_storage
from tests.support.published import certainty, plain


@pytest.fixture
def model(models: FolderStorage) -> Model:
    return Model(models.url, "r1", max_pixels=10_000)


def test_pictures_get_the_probabilities_that_the_service_gives(model: Model, photos: Path) -> None:
    rows = classify_pictures([str(photos / "a.png"), str(photos / "b.PNG")], model)
    assert [row.picture for row in rows] == [str(photos / "a.png"), str(photos / "b.PNG")]
    assert [row.problem for row in rows] == [None, None]
    found = np.array([row.probabilities for row in rows])
    assert found == pytest.approx(np.array([certainty(1, 0, 0), certainty(0, 1, 0)]))


def test_what_cannot_be_read_has_a_reason_and_the_others_are_answered(model: Model, photos: Path) -> None:
    (photos / "large.png").write_bytes(plain("red", (200, 200)))
    names = ["more/broken.jpg", "gone.jpg", "large.png", "more", "a.png"]
    rows = classify_pictures([str(photos / name) for name in names], model)
    assert [bool(row.probabilities) for row in rows] == [False, False, False, False, True]
    for row, said in zip(rows, ("no picture", "No such file", "200x200 pixels", "Is a directory"), strict=False):
        assert row.problem is not None
        assert said in row.problem


def test_pictures_in_a_bucket_are_read(model: Model, gcs_url: str) -> None:
    storage = open_storage(gcs_url)
    for number in range(20):
        storage.write(f"{number}.png", plain("blue" if number % 2 else "red"))
    names = [f"{gcs_url}/{number}.png" for number in range(21)]
    rows = classify_pictures(names, model)
    assert [row.picture for row in rows] == names
    assert [int(np.argmax(row.probabilities)) for row in rows[:20]] == [0, 2] * 10
    assert "has no object" in str(rows[20].problem)


def test_a_bucket_that_is_away_is_no_picture_s_problem(model: Model, gcs_url: str) -> None:
    with pytest.raises(StorageUnavailable):
        classify_pictures([f"{gcs_url}/a.png", "gs://nowhere-at-all/a.png"], model)


def test_the_model_is_loaded_once(model: Model) -> None:
    assert load(model) is load(Model(model.bucket, "r1", max_pixels=10_000))
    with pytest.raises(NoModel):
        load(Model(model.bucket, "r9", max_pixels=10_000))


@pytest.mark.skipif(os.name == "nt", reason="Windows' names are text")
def test_a_name_that_is_no_text_can_be_written() -> None:
    assert printable(os.fsdecode(b"caf\xe9.jpg")) == "caf\\udce9.jpg"
    assert printable("café.jpg") == "café.jpg"
