"""Measure which duplicates the perceptual hash finds at which distance, in label folders with few duplicates.

    python -m profiling.duplicates data/sample

Prints two tables: how many changed copies are found, and how many pairs of the folder's own pictures count as the same.
Results and conclusions: docs/design/duplicates.md.
"""

import argparse
import random
import sys
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from animals.concurrency import in_processes
from animals.cpus import available_cpus
from animals.data.duplicates import perceptual_hash
from animals.data.folders import Picture, find_pictures
from animals.markdown import table
from animals.preprocess import open_picture

DISTANCES: Final = (20, 30, 40, 50, 60, 70)


def recompress(image: Image.Image, quality: int) -> Image.Image:
    """Save as JPEG and open again."""
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def crop(image: Image.Image) -> Image.Image:
    """Cut 2 % of width and height, at least a pixel, from the left and the top."""
    return image.crop((max(1, round(image.width * 0.02)), max(1, round(image.height * 0.02)), *image.size))


def halve(image: Image.Image) -> Image.Image:
    """Halve width and height."""
    return image.resize((max(1, image.width // 2), max(1, image.height // 2)))


def brighten(image: Image.Image, factor: float) -> Image.Image:
    """Multiply each value."""
    return ImageEnhance.Brightness(image).enhance(factor)


CHANGES: Final[dict[str, Callable[[Image.Image], Image.Image]]] = {
    "JPEG, quality 75": lambda image: recompress(image, 75),
    "JPEG, quality 40": lambda image: recompress(image, 40),
    "half the size": halve,
    "10 % brighter": lambda image: brighten(image, 1.1),
    "20 % brighter": lambda image: brighten(image, 1.2),
    "without colour": lambda image: image.convert("L").convert("RGB"),
    "2 % cut off at two sides": crop,
    "all of it: cut, half, 10 % brighter, JPEG 75": lambda image: recompress(brighten(halve(crop(image)), 1.1), 75),
}


def hash_file(path: Path) -> str:
    """Return the hash of a picture."""
    return perceptual_hash(open_picture(path))


def differing_bits(path: Path) -> list[int]:
    """Return the distance between a picture's hash and that of each changed copy; 256 if the copy has none."""
    image = open_picture(path)
    hashes = [perceptual_hash(change(image)) for change in CHANGES.values()]
    own = int(perceptual_hash(image) or "0", 16)
    return [(own ^ int(it, 16)).bit_count() if it else 256 for it in hashes]


def pair_distances(hashes: Sequence[str], labels: Sequence[str]) -> NDArray[np.int64]:
    """Return the number of pairs at each distance: of one label in the first row, of two labels in the second."""
    words = np.array([np.frombuffer(bytes.fromhex(it), np.uint64) for it in hashes]).T.copy()
    names = np.array(labels)
    counts = np.zeros((2, 257), np.int64)
    for first in range(len(names) - 1):
        bits = np.bitwise_count(words[:, first + 1 :] ^ words[:, first, None]).sum(axis=0)
        other = names[first + 1 :] != names[first]
        for row, chosen in enumerate((~other, other)):
            counts[row] += np.bincount(bits[chosen], minlength=257)
    return counts


def main() -> None:
    """Measure a folder and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("--copies", type=int, default=600, help="pictures to change [600]")
    arguments = parser.parse_args()
    files: list[Picture] = find_pictures(arguments.root, {})
    paths = [arguments.root / file.name for file in files]
    chosen = random.Random(0).sample(paths, min(arguments.copies, len(paths)))  # noqa: S311 - no secret
    distances = np.array([bits for _, bits in in_processes(differing_bits, chosen, workers=available_cpus())])
    found = [
        [name, *(f"{(distances[:, number] <= limit).mean():.1%}" for limit in DISTANCES)]
        for number, name in enumerate(CHANGES)
    ]
    columns = list(map(str, DISTANCES))
    sys.stdout.write(table([f"{len(chosen)} copies found at distance", *columns], found) + "\n\n")
    hashes = dict(in_processes(hash_file, paths, workers=available_cpus()))
    hashed = [(hashes[path], file.label) for path, file in zip(paths, files, strict=True) if hashes[path]]
    counts = pair_distances([it for it, _ in hashed], [label for _, label in hashed])
    pairs = [
        [name, *(f"{counts[row, : limit + 1].sum():,}" for limit in DISTANCES)]
        for row, name in enumerate(("of one label", "of two labels"))
    ]
    sys.stdout.write(table([f"pairs among {len(hashed):,} pictures", *columns], pairs) + "\n")
    sys.stdout.write(f"\nThe nearest pair differs in {np.flatnonzero(counts.sum(axis=0))[0]} bits.\n")


if __name__ == "__main__":
    main()
