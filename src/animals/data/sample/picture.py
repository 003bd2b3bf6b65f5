"""One picture of the sample set: what its number means, what its file is called, and how the file is written.

A picture is settled by its recipe, its label and its index alone. So it comes out the same whichever process paints it
and however many others there are.
"""

import io
from dataclasses import dataclass
from enum import Enum
from os import getpid
from pathlib import Path
from typing import Final

import numpy as np

from animals.animals10 import ANIMALS10_FOLDERS
from animals.data.sample.drawings import Drawing, drawings_of
from animals.data.sample.scenes import compose

GENERATOR: Final = 1
"""Raise this whenever the same recipe no longer gives the same pictures: sets of older generators are made anew."""

UNFINISHED: Final = ".*.unfinished"
"""What files are called while they are written; one that stays was left by a process that was killed."""

_FOLDERS: Final = tuple(ANIMALS10_FOLDERS)
_QUALITY: Final = (45, 92)
_SIGNATURE: Final = b"animals sample picture; "
_HEAD: Final = 512  # bytes, within which a sample picture's comment ends


@dataclass(frozen=True, slots=True)
class Recipe:
    """What all pictures of a set have in common."""

    seed: int
    """Zero or more."""
    styles: tuple[str, ...]
    """Of `drawings.STYLES`, in that order; the pictures of a label take them in turn."""

    @property
    def comment(self) -> bytes:
        """What stands in the JPEG comment of each picture; no recipe's comment is the beginning of another's."""
        return _SIGNATURE + f"generator {GENERATOR}; seed {self.seed}; styles {','.join(self.styles)};".encode()


@dataclass(frozen=True, slots=True)
class SamplePicture:
    """Picture number `index`, from 0, in one folder of Animals-10."""

    recipe: Recipe
    folder: str
    index: int

    @property
    def path(self) -> Path:
        """Relative to the set's root: `gatto/noto-black-cat-000123.jpg` for style, drawing and index."""
        drawing, _ = self._draw_lots()
        return Path(self.folder) / f"{drawing.style}-{drawing.name}-{self.index:06d}.jpg"

    def paint(self) -> bytes:
        """Compose the picture.

        Returns:
            A whole JPEG file, of one of `scenes.SIZES` and a quality between 45 and 92.
        """
        drawing, rng = self._draw_lots()
        picture = compose(drawing, rng)
        file = io.BytesIO()
        quality = int(rng.integers(*_QUALITY, endpoint=True))
        picture.save(file, "JPEG", quality=quality, comment=self.recipe.comment)
        return file.getvalue()

    def paint_into(self, root: Path) -> None:
        """Compose the picture and write it under a set's root, where its folder is: all of it or nothing."""
        write_whole(root / self.path, self.paint())

    def _draw_lots(self) -> tuple[Drawing, np.random.Generator]:
        """The picture's drawing, and the generator that decides the rest."""
        seeds = np.random.SeedSequence([self.recipe.seed, _FOLDERS.index(self.folder), self.index])
        rng = np.random.default_rng(seeds)
        style = self.recipe.styles[self.index % len(self.recipe.styles)]
        drawings = drawings_of(style, self.folder)
        return drawings[rng.integers(len(drawings))], rng


class Origin(Enum):
    """Who made a file."""

    THIS_RECIPE = "this recipe"
    OTHER_RECIPE = "another recipe, or an older generator"
    ELSEWHERE = "not this package"


def origin_of(path: Path, recipe: Recipe) -> Origin:
    """Look for the comment that every sample picture carries; a file cut off after it is not noticed."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if recipe.comment in head:
        return Origin.THIS_RECIPE
    return Origin.OTHER_RECIPE if _SIGNATURE in head else Origin.ELSEWHERE


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that nobody ever sees half of it, not even after the process was killed."""
    temporary = path.with_name(f".{path.name}.{getpid()}.unfinished")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
