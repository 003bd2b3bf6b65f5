"""Robustness: accuracy on corrupted pictures, with ten corruptions at five severities each.

The choice follows Hendrycks and Dietterich 2019, "Benchmarking Neural Network Robustness to Common Corruptions and
Perturbations"; functions and severities are our own. They work on pixels at the model's size, so that every
model of a size gets the same pictures. Lengths are shares of the picture's side: a blur is as strong on 64 pixels as
on 224. Noise and the blocks of JPEG are those of single pixels.
"""

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy.signal import fftconvolve

from animals.concurrency import progress_bar
from animals.training.evaluation.predictors import BATCH, Predict
from animals.training.evaluation.records import Robustness

Pixels = NDArray[np.uint8]
"""One picture, shape (side, side, 3)."""

SEVERITIES: Final = (1, 2, 3, 4, 5)


@dataclass(frozen=True, slots=True)
class Corruption:
    """One kind of corruption."""

    name: str
    corrupt: Callable[[Pixels, float, np.random.Generator], Pixels]
    """Picture, amount and random generator -> picture."""
    amounts: tuple[float, float, float, float, float]
    """From the mildest severity to the worst."""
    unit: str
    """Unit of the amounts."""

    def __call__(self, pixels: NDArray[np.uint8], severity: int, seeds: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Corrupt pictures.

        Args:
            pixels: shape (pictures, side, side, 3).
            severity: one of `SEVERITIES`.
            seeds: one for each picture; the same seed gives the same angle or fog at each severity.

        Returns:
            The same shape.
        """
        amount, kind = self.amounts[severity - 1], zlib.crc32(self.name.encode())
        corrupted = [
            self.corrupt(picture, amount, np.random.default_rng([kind, seed]))
            for picture, seed in zip(pixels, seeds, strict=True)
        ]
        return np.stack(corrupted)


def to_bytes(values: NDArray[np.floating]) -> Pixels:
    """Round and clip numbers to bytes."""
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


def gaussian_noise(pixels: Pixels, sigma: float, rng: np.random.Generator) -> Pixels:
    """Add the noise of a sensor, with the same standard deviation everywhere."""
    return to_bytes(pixels + 255 * sigma * rng.standard_normal(pixels.shape, np.float32))


def shot_noise(pixels: Pixels, photons: float, rng: np.random.Generator) -> Pixels:
    """Add the noise of too little light; `photons` is the mean number that a white pixel receives."""
    return to_bytes(rng.poisson(pixels * (photons / 255)) * (255 / photons))


def gaussian_blur(pixels: Pixels, share: float, _: np.random.Generator) -> Pixels:
    """Blur as out of focus."""
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(share * len(pixels))))


def motion_blur(pixels: Pixels, share: float, rng: np.random.Generator) -> Pixels:
    """Blur along a straight line in a random direction, as by a moving camera."""
    length, angle = share * len(pixels), rng.uniform(0, math.pi)
    reach = math.ceil(length / 2)
    along = np.linspace(-length / 2, length / 2, 4 * reach + 1)
    # each point of the line is spread over the pixels around it by bilinear weights
    near_x, near_y = (
        np.maximum(0, 1 - np.abs(np.arange(-reach, reach + 1) - along[:, None] * part))
        for part in (math.cos(angle), math.sin(angle))
    )
    kernel = near_y.T @ near_x / len(along)
    padded = np.pad(pixels.astype(np.float64), ((reach, reach), (reach, reach), (0, 0)), "symmetric")
    return to_bytes(fftconvolve(padded, kernel[:, :, None], mode="valid", axes=(0, 1)))


def jpeg(pixels: Pixels, quality: float, _: np.random.Generator) -> Pixels:
    """Compress as JPEG."""
    file = BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=round(quality))
    return np.asarray(Image.open(file))


def exposure(pixels: Pixels, gain: float, _: np.random.Generator) -> Pixels:
    """Over- or underexpose: multiply by the gain and clip at white."""
    return to_bytes(pixels * np.float32(gain))


def contrast(pixels: Pixels, share: float, _: np.random.Generator) -> Pixels:
    """Scale the difference of each pixel from the picture's mean."""
    mean = pixels.mean(dtype=np.float64)
    return to_bytes(mean + (pixels - mean) * share)


def pixelate(pixels: Pixels, share: float, _: np.random.Generator) -> Pixels:
    """Scale down to a share of the side, and up again without interpolation."""
    side = len(pixels)
    small = Image.fromarray(pixels).resize((max(1, round(side * share)),) * 2, Image.Resampling.BOX)
    return np.asarray(small.resize((side, side), Image.Resampling.NEAREST))


def fog(pixels: Pixels, density: float, rng: np.random.Generator) -> Pixels:
    """Blend with white banks of uneven thickness."""
    banks = sum(_banks(cells, len(pixels), rng) for cells in (3, 6, 12))  # 0 to 3, seldom a little beyond
    veil = density * np.clip(0.5 + banks / 6, 0, 1)[:, :, None]
    return to_bytes(pixels * (1 - veil) + 255 * veil)


def _banks(cells: int, side: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return smooth noise of about 0 to 1, with a number of cells along the side."""
    spots = Image.fromarray(rng.random((cells, cells), np.float32))
    return np.asarray(spots.resize((side, side), Image.Resampling.BICUBIC))


CORRUPTIONS: Final = (
    Corruption("gaussian noise", gaussian_noise, (0.03, 0.06, 0.1, 0.15, 0.22), "standard deviation, white being 1"),
    Corruption("shot noise", shot_noise, (200, 80, 35, 15, 7), "photons of a white pixel"),
    Corruption("gaussian blur", gaussian_blur, (0.006, 0.01, 0.015, 0.022, 0.03), "radius, the side being 1"),
    Corruption("motion blur", motion_blur, (0.03, 0.05, 0.08, 0.12, 0.17), "length, the side being 1"),
    Corruption("JPEG", jpeg, (50, 30, 18, 10, 5), "quality"),
    Corruption("pixelate", pixelate, (0.7, 0.5, 0.33, 0.22, 0.14), "pixels left along the side, of 1"),
    Corruption("brighter", exposure, (1.25, 1.5, 1.8, 2.2, 2.8), "factor"),
    Corruption("darker", exposure, (0.7, 0.5, 0.35, 0.22, 0.12), "factor"),
    Corruption("contrast", contrast, (0.7, 0.5, 0.35, 0.22, 0.12), "contrast left, of 1"),
    Corruption("fog", fog, (0.25, 0.4, 0.55, 0.68, 0.8), "whiteness of the thickest part"),
)


def measure_robustness(
    predict: Predict, pixels: NDArray[np.uint8], targets: NDArray[np.int64], seeds: NDArray[np.int64]
) -> Robustness:
    """Measure the accuracy under each corruption at each severity, with a progress bar.

    Args:
        predict: the model.
        pixels: shape (pictures, side, side, 3).
        targets: indices of the correct labels, shape (pictures,).
        seeds: one for each picture, shape (pictures,).
    """
    accuracy: dict[str, tuple[float, ...]] = {}
    with progress_bar() as progress:
        task = progress.add_task("Corrupting pictures", total=len(CORRUPTIONS) * len(SEVERITIES))
        for corruption in CORRUPTIONS:
            for severity in SEVERITIES:
                correct = 0
                for first in range(0, len(pixels), BATCH):  # so that only a few corrupted pictures are in memory
                    part = slice(first, first + BATCH)
                    labels = predict(corruption(pixels[part], severity, seeds[part])).argmax(1)
                    correct += int((labels == targets[part]).sum())
                accuracy[corruption.name] = (*accuracy.get(corruption.name, ()), correct / len(pixels))
                progress.advance(task)
    return Robustness(
        pictures=len(pixels),
        clean=float((predict(pixels).argmax(1) == targets).mean()),
        mean=float(np.mean(list(accuracy.values()))),
        accuracy=accuracy,
    )
