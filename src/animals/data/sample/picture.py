"""One picture of the sample set: its name and its content, which depend only on its recipe, label and index."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from animals.animals10 import ANIMALS10_FOLDERS
from animals.data.sample.drawings import Drawing, drawings_of
from animals.data.sample.scenes import compose

GENERATOR: Final = 1
"""Increase this whenever the same recipe no longer gives the same pictures: existing sets are then made again."""

_FOLDERS: Final = tuple(ANIMALS10_FOLDERS)
_QUALITY: Final = (45, 92)
SIGNATURE: Final = b"animals sample picture; "
_HEAD: Final = 512  # bytes, enough for the comment


@dataclass(frozen=True, slots=True)
class Recipe:
    """Settings of all pictures of a set."""

    seed: int
    """Zero or more."""
    styles: tuple[str, ...]
    """Some of `drawings.STYLES`, in that order; the pictures of a label use them in turn."""

    @property
    def comment(self) -> bytes:
        """JPEG comment of each picture; no recipe's comment is the beginning of another's."""
        return SIGNATURE + f"generator {GENERATOR}; seed {self.seed}; styles {','.join(self.styles)};".encode()


@dataclass(frozen=True, slots=True)
class SamplePicture:
    """Picture number `index`, from 0, in one folder of Animals-10."""

    recipe: Recipe
    folder: str
    index: int

    @property
    def path(self) -> Path:
        """Path below the root: `gatto/noto-black-cat-000123.jpg` for style, drawing and index."""
        drawing, _ = self._drawing_and_rng()
        return Path(self.folder) / f"{drawing.style}-{drawing.name}-{self.index:06d}.jpg"

    def paint(self) -> bytes:
        """Compose the picture, and return it as a JPEG file of one of `scenes.SIZES` and a quality from 45 to 92."""
        drawing, rng = self._drawing_and_rng()
        picture = compose(drawing, rng)
        file = io.BytesIO()
        quality = int(rng.integers(*_QUALITY, endpoint=True))
        picture.save(file, "JPEG", quality=quality, comment=self.recipe.comment)
        return file.getvalue()

    def _drawing_and_rng(self) -> tuple[Drawing, np.random.Generator]:
        """Return the drawing, and the generator of all other random choices."""
        seeds = np.random.SeedSequence([self.recipe.seed, _FOLDERS.index(self.folder), self.index])
        rng = np.random.default_rng(seeds)
        style = self.recipe.styles[self.index % len(self.recipe.styles)]
        drawings = drawings_of(style, self.folder)
        return drawings[rng.integers(len(drawings))], rng


def file_head(path: Path) -> bytes:
    """Return the beginning of a file: if it is a sample picture, with `SIGNATURE` and the comment of its recipe."""
    with path.open("rb") as file:
        return file.read(_HEAD)
