"""What spoils pictures in the world: ten corruptions, each at five severities.

The choice follows Hendrycks and Dietterich 2019, "Benchmarking Neural Network Robustness to Common Corruptions and
Perturbations"; functions and severities are our own. They work on pixels at the model's size, so that every
model of a size sees the same. Lengths are shares of the picture's side: a blur spoils 64 pixels as much as 224.
Noise and the blocks of JPEG are those of single pixels.
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

Pixels = NDArray[np.uint8]
"""One picture, shape (side, side, 3)."""

SEVERITIES: Final = (1, 2, 3, 4, 5)


@dataclass(frozen=True, slots=True)
class Corruption:
    """One way to spoil a picture."""

    name: str
    spoil: Callable[[Pixels, float, np.random.Generator], Pixels]
    """Picture, amount and chance -> picture."""
    amounts: tuple[float, float, float, float, float]
    """From the mildest severity to the worst."""
    unit: str
    """What the amounts are."""

    def __call__(self, pixels: NDArray[np.uint8], severity: int, seeds: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Spoil pictures.

        Args:
            pixels: shape (pictures, side, side, 3).
            severity: of `SEVERITIES`.
            seeds: one a picture; the same one gives the same result, and the same angle or fog at each severity.

        Returns:
            The same shape.
        """
        amount, kind = self.amounts[severity - 1], zlib.crc32(self.name.encode())
        spoiled = [
            self.spoil(picture, amount, np.random.default_rng([kind, seed]))
            for picture, seed in zip(pixels, seeds, strict=True)
        ]
        return np.stack(spoiled)


def to_bytes(values: NDArray[np.floating]) -> Pixels:
    """Numbers around 0 to 255 to the nearest byte."""
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


def gaussian_noise(pixels: Pixels, sigma: float, rng: np.random.Generator) -> Pixels:
    """The grain of a sensor, alike everywhere."""
    return to_bytes(pixels + 255 * sigma * rng.standard_normal(pixels.shape, np.float32))


def shot_noise(pixels: Pixels, photons: float, rng: np.random.Generator) -> Pixels:
    """Too little light: white is so many photons."""
    return to_bytes(rng.poisson(pixels * (photons / 255)) * (255 / photons))


def gaussian_blur(pixels: Pixels, share: float, _: np.random.Generator) -> Pixels:
    """Out of focus."""
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(share * len(pixels))))


def motion_blur(pixels: Pixels, share: float, rng: np.random.Generator) -> Pixels:
    """The camera moved in a straight line of any direction."""
    length, angle = share * len(pixels), rng.uniform(0, math.pi)
    reach = math.ceil(length / 2)
    along = np.linspace(-length / 2, length / 2, 4 * reach + 1)
    # each point of the line gives weight to the pixels around it, the nearer the more
    near_x, near_y = (
        np.maximum(0, 1 - np.abs(np.arange(-reach, reach + 1) - along[:, None] * part))
        for part in (math.cos(angle), math.sin(angle))
    )
    kernel = near_y.T @ near_x / len(along)
    padded = np.pad(pixels.astype(np.float64), ((reach, reach), (reach, reach), (0, 0)), "symmetric")
    return to_bytes(fftconvolve(padded, kernel[:, :, None], mode="valid", axes=(0, 1)))


def jpeg(pixels: Pixels, quality: float, _: np.random.Generator) -> Pixels:
    """Compressed once more."""
    file = BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=round(quality))
    return np.asarray(Image.open(file))


def exposure(pixels: Pixels, gain: float, _: np.random.Generator) -> Pixels:
    """Over- or underexposed: all light times the gain, and what is over white is white."""
    return to_bytes(pixels * np.float32(gain))


def contrast(pixels: Pixels, share: float, _: np.random.Generator) -> Pixels:
    """Each pixel that much nearer to the picture's mean."""
    mean = pixels.mean(dtype=np.float64)
    return to_bytes(mean + (pixels - mean) * share)


def pixelate(pixels: Pixels, share: float, _: np.random.Generator) -> Pixels:
    """So small once that only a share of the side's pixels is left."""
    side = len(pixels)
    small = Image.fromarray(pixels).resize((max(1, round(side * share)),) * 2, Image.Resampling.BOX)
    return np.asarray(small.resize((side, side), Image.Resampling.NEAREST))


def fog(pixels: Pixels, density: float, rng: np.random.Generator) -> Pixels:
    """White banks of uneven thickness before everything."""
    banks = sum(_banks(cells, len(pixels), rng) for cells in (3, 6, 12))  # 0 to 3, seldom a little beyond
    veil = density * np.clip(0.5 + banks / 6, 0, 1)[:, :, None]
    return to_bytes(pixels * (1 - veil) + 255 * veil)


def _banks(cells: int, side: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Soft spots of around 0 to 1, so many along the side."""
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
