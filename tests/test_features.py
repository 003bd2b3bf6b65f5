"""Picture features are what their names say."""

import numpy as np
from PIL import Image, ImageFilter

from animals.features import FEATURES, picture_features


def features(*pictures: np.ndarray) -> dict[str, np.ndarray]:
    return dict(picture_features(np.stack(pictures).astype(np.uint8)))


def test_there_is_one_number_a_picture_for_each_feature() -> None:
    found = features(np.zeros((8, 8, 3)), np.zeros((8, 8, 3)))
    assert tuple(found) == FEATURES
    assert all(values.shape == (2,) for values in found.values())


def test_white_is_bright_and_flat_pictures_have_neither_contrast_nor_sharpness() -> None:
    found = features(np.full((8, 8, 3), 255), np.zeros((8, 8, 3)))
    np.testing.assert_allclose(found["brightness"], [1, 0], atol=1e-6)
    np.testing.assert_allclose(found["contrast"], 0, atol=1e-6)
    np.testing.assert_allclose(found["sharpness"], 0, atol=1e-6)


def test_half_black_half_white_has_the_contrast_of_one_half() -> None:
    picture = np.zeros((8, 8, 3))
    picture[:, 4:] = 255
    np.testing.assert_allclose(features(picture)["contrast"], 0.5, atol=1e-6)


def test_blur_takes_sharpness_but_not_brightness() -> None:
    sharp = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    blurred = np.asarray(Image.fromarray(sharp).filter(ImageFilter.GaussianBlur(2)))
    found = features(sharp, blurred)
    assert found["sharpness"][1] < 0.1 * found["sharpness"][0]
    np.testing.assert_allclose(found["brightness"][1], found["brightness"][0], atol=0.02)
