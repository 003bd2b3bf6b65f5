"""What the perceptual hash finds at which distance, in a folder of label folders that has few duplicates.

    python profiling/duplicates.py data/sample

Two tables: how many changed copies are found, and how many pairs of the folder's own pictures count as the same.
Results and what follows from them: docs/design/duplicates.md.
"""

import argparse
import random
import sys
from collections.abc import Callable, Mapping, Sequence
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
from animals.preprocess import open_picture

DISTANCES: Final = (20, 30, 40, 50, 60, 70)


def recompress(image: Image.Image, quality: int) -> Image.Image:
    """Through JPEG and back."""
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def crop(image: Image.Image) -> Image.Image:
    """Without 2 % of width and height, and at least a pixel, at the left and the top."""
    return image.crop((max(1, round(image.width * 0.02)), max(1, round(image.height * 0.02)), *image.size))


def halve(image: Image.Image) -> Image.Image:
    """At half the width and height."""
    return image.resize((max(1, image.width // 2), max(1, image.height // 2)))


def brighten(image: Image.Image, factor: float) -> Image.Image:
    """Each value times so much."""
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


def look(path: Path) -> str:
    """The hash of a picture."""
    return perceptual_hash(open_picture(path))


def differing_bits(path: Path) -> list[int]:
    """How far each change takes a picture's hash; more than any distance where it becomes plain."""
    image = open_picture(path)
    hashes = [perceptual_hash(change(image)) for change in CHANGES.values()]
    own = int(perceptual_hash(image) or "0", 16)
    return [(own ^ int(it, 16)).bit_count() if it else 256 for it in hashes]


def pair_distances(hashes: Sequence[str], labels: Sequence[str]) -> NDArray[np.int64]:
    """Pairs at each distance: of the same label in the first row, of two labels in the second."""
    words = np.array([np.frombuffer(bytes.fromhex(it), np.uint64) for it in hashes]).T.copy()
    names = np.array(labels)
    counts = np.zeros((2, 257), np.int64)
    for place in range(len(names) - 1):
        bits = np.bitwise_count(words[:, place + 1 :] ^ words[:, place, None]).sum(axis=0)
        other = names[place + 1 :] != names[place]
        for row, chosen in enumerate((~other, other)):
            counts[row] += np.bincount(bits[chosen], minlength=257)
    return counts


def table(head: str, rows: Mapping[str, Sequence[str]]) -> str:
    """In Markdown, a column for each distance."""
    lines = [f"| {head} | {' | '.join(map(str, DISTANCES))} |", "|---" * (len(DISTANCES) + 1) + "|"]
    return "\n".join([*lines, *(f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items())])


def main() -> None:
    """Measure a folder and show the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("--copies", type=int, default=600, help="pictures that are changed [600]")
    arguments = parser.parse_args()
    files: list[Picture] = find_pictures(arguments.root, {})
    paths = [arguments.root / file.name for file in files]
    chosen = random.Random(0).sample(paths, min(arguments.copies, len(paths)))  # noqa: S311 - no secret
    moved = np.array([bits for _, bits in in_processes(differing_bits, chosen, workers=available_cpus())])
    found = {
        name: [f"{(moved[:, place] <= distance).mean():.1%}" for distance in DISTANCES]
        for place, name in enumerate(CHANGES)
    }
    sys.stdout.write(table(f"{len(chosen)} copies found at distance", found) + "\n\n")
    looks = dict(in_processes(look, paths, workers=available_cpus()))
    known = [(looks[path], file.label) for path, file in zip(paths, files, strict=True) if looks[path]]
    counts = pair_distances([it for it, _ in known], [label for _, label in known])
    pairs = {
        name: [f"{counts[row, : distance + 1].sum():,}" for distance in DISTANCES]
        for row, name in enumerate(("of one label", "of two labels"))
    }
    sys.stdout.write(table(f"pairs among {len(known):,} pictures", pairs) + "\n")
    sys.stdout.write(f"\nThe nearest pair differs in {np.flatnonzero(counts.sum(axis=0))[0]} bits.\n")


if __name__ == "__main__":
    main()
