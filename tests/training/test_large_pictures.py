"""Large pictures are decoded at reduced scale, and are answered like the whole ones."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from animals.data.cache import load_cached
from animals.data.folders import find_pictures
from animals.preprocess import LARGE, open_picture, read_pixels, to_pixels
from animals.serving.classifier import Classifier
from animals.training.evaluation.predictors import onnx_predictor
from tests.support.pictures import COLORS, turned, write_picture
from tests.training.conftest import Trained

SIZE = (LARGE + 7, 803)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("large")
    for index, (label, color) in enumerate(COLORS.items()):
        for number in range(3):
            write_picture(root / label / f"{number}.jpg", color, seed=10 * index + number, size=SIZE)
    return root


def test_no_answer_changes(trained: Trained, large: Path) -> None:
    spec = trained.card.input
    predict = onnx_predictor(trained.run / "version" / "model.onnx", spec)
    paths = [large / picture.name for picture in find_pictures(large, {})]
    whole = np.stack([to_pixels(open_picture(path), spec) for path in paths])
    reduced = np.stack([read_pixels(path, spec) for path in paths])
    assert not np.array_equal(whole, reduced)
    assert np.array_equal(predict(whole).argmax(1), predict(reduced).argmax(1))


def test_serving_sees_what_the_cache_of_training_holds(trained: Trained, large: Path, tmp_path: Path) -> None:
    pictures = find_pictures(large, {})
    spec = replace(trained.card.input, mean=(0.0, 0.0, 0.0), std=(1 / 255, 1 / 255, 1 / 255))  # pixels as they are
    card = trained.card.model_copy(update={"input": spec})
    classifier = Classifier(card, (trained.run / "version" / "model.onnx").read_bytes())
    cached, _ = load_cached(large, pictures, spec, cache_dir=tmp_path, workers=0)
    for picture, pixels in zip(pictures, cached, strict=True):
        prepared = classifier.decode((large / picture.name).read_bytes()).pixels
        np.testing.assert_allclose(np.moveaxis(prepared, 0, -1), pixels, atol=1e-3)


def test_the_cache_knows_the_size_of_the_whole_picture(trained: Trained, tmp_path: Path) -> None:
    root = tmp_path / "pictures"
    write_picture(root / "a" / "lying.jpg", (1, 2, 3), seed=0, size=SIZE)
    (root / "b").mkdir()
    open_picture(root / "a" / "lying.jpg").save(root / "b" / "standing.jpg", exif=turned(6))
    spec = trained.card.input
    _, decoded = load_cached(root, find_pictures(root, {}), spec, cache_dir=tmp_path / "cache", workers=0)
    assert [(it.width, it.height) for it in decoded] == [SIZE, SIZE[::-1]]
