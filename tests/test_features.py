"""Picture features are what their names say."""

import numpy as np
from PIL import Image, ImageFilter

from animals.features import FEATURES, picture_features, prepared_features
from animals.preprocess import InputSpec, normalize


def features(*pictures: np.ndarray) -> dict[str, np.ndarray]:
    return dict(picture_features(np.stack(pictures).astype(np.uint8)))


def test_white_is_bright_and_flat_pictures_have_neither_contrast_nor_sharpness() -> None:
    values = features(np.full((8, 8, 3), 255), np.zeros((8, 8, 3)))
    assert tuple(values) == FEATURES
    for name, expected in zip(FEATURES, ([1, 0], [0, 0], [0, 0]), strict=True):
        np.testing.assert_allclose(values[name], expected, atol=1e-6)


def test_half_black_half_white_has_the_contrast_of_one_half() -> None:
    picture = np.zeros((8, 8, 3))
    picture[:, 4:] = 255
    np.testing.assert_allclose(features(picture)["contrast"], 0.5, atol=1e-6)


def test_blur_takes_sharpness_but_not_brightness() -> None:
    sharp = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    blurred = np.asarray(Image.fromarray(sharp).filter(ImageFilter.GaussianBlur(2)))
    values = features(sharp, blurred)
    assert values["sharpness"][1] < 0.1 * values["sharpness"][0]
    np.testing.assert_allclose(values["brightness"][1], values["brightness"][0], atol=0.02)


def test_a_prepared_picture_has_the_features_of_its_pixels() -> None:
    spec = InputSpec(side=32, mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.3))
    pixels = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    pixels[2] = 77
    expected, values = picture_features(pixels), prepared_features(normalize(pixels, spec), spec.mean, spec.std)
    assert tuple(values) == FEATURES
    for name in FEATURES:
        np.testing.assert_allclose(values[name], expected[name], atol=2e-6)


def test_the_features_are_those_of_numpys_own_deviation() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (2, 16, 16, 3), dtype=np.uint8)
    grey = pixels @ np.array([0.299, 0.587, 0.114]) / 255
    values = picture_features(pixels)
    np.testing.assert_allclose(values["brightness"], grey.mean(axis=(1, 2)), rtol=1e-5)
    np.testing.assert_allclose(values["contrast"], grey.std(axis=(1, 2)), rtol=1e-5)


def test_the_sharpness_is_the_deviation_of_what_differs_from_the_four_neighbours() -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (2, 16, 12, 3), dtype=np.uint8)
    pixels[1] = np.arange(12)[:, None] ** 2  # a bend, whose mean is not 0
    grey = pixels @ np.array([0.299, 0.587, 0.114]) / 255
    neighbours = grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:]
    expected = (neighbours - 4 * grey[:, 1:-1, 1:-1]).std(axis=(1, 2))
    np.testing.assert_allclose(picture_features(pixels)["sharpness"], expected, rtol=1e-5, atol=1e-6)
