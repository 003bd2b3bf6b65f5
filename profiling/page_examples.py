"""Paint the example pictures of the page: `python profiling/page_examples.py`.

They are pictures like those of the sample, of a seed that no training uses; one is of none of the ten animals.
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
    """Write them beside the page."""
    for name, picture in PICTURES.items():
        (EXAMPLES / f"{name}.jpg").write_bytes(picture.paint())
    (EXAMPLES / "tractor.jpg").write_bytes(paint_thing("tractor"))


def paint_thing(name: str) -> bytes:
    """A picture of something that is no animal."""
    drawing = next(drawing for drawing in clutter() if drawing.name == name)
    file = BytesIO()
    compose(drawing, np.random.default_rng(RECIPE.seed)).save(file, "JPEG", quality=90)
    return file.getvalue()


if __name__ == "__main__":
    main()
