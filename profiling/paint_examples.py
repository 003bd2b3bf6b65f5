"""Draw the example pictures of the page: `python -m profiling.paint_examples`.

They look like those of the sample, with a seed that no training uses; one shows none of the ten animals.
"""

from io import BytesIO
from pathlib import Path

import numpy as np

from animals.data.sample.drawings import STYLES, clutter
from animals.data.sample.picture import Recipe, SamplePicture
from animals.data.sample.scenes import compose

EXAMPLES = Path(__file__).parents[1] / "src/animals/frontend/examples"

RECIPE = Recipe(7, STYLES)
PICTURES = {
    "butterfly": SamplePicture(RECIPE, "farfalla", 1),
    "cat": SamplePicture(RECIPE, "gatto", 6),
    "elephant": SamplePicture(RECIPE, "elefante", 6),
    "horse": SamplePicture(RECIPE, "cavallo", 1),
    "spider": SamplePicture(RECIPE, "ragno", 2),
}


def main() -> None:
    """Write them into the page's folder."""
    for name, picture in PICTURES.items():
        (EXAMPLES / f"{name}.jpg").write_bytes(picture.paint())
    (EXAMPLES / "tractor.jpg").write_bytes(draw_object("tractor"))


def draw_object(name: str) -> bytes:
    """Return a picture of an object that is no animal."""
    drawing = next(drawing for drawing in clutter() if drawing.name == name)
    file = BytesIO()
    compose(drawing, np.random.default_rng(RECIPE.seed)).save(file, "JPEG", quality=90)
    return file.getvalue()


if __name__ == "__main__":
    main()
