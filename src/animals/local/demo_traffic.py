"""Demo traffic: requests and feedback as visitors would send them, from pictures with known labels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from animals import registry
from animals.errors import DataError
from animals.frontend.clients import Backend
from animals.preprocess import open_picture
from animals.storage import Storage

CORRUPTED: Final = 0.2
"""Share of the pictures that are made darker, blurred or small."""

WITH_PICTURE: Final = 0.25
"""Share of the feedback that includes the picture."""

MAX_PICTURES: Final = 300


_CORRUPTIONS: Final[tuple[Callable[[Image.Image], Image.Image], ...]] = (
    lambda image: ImageEnhance.Brightness(image).enhance(0.4),
    lambda image: image.filter(ImageFilter.GaussianBlur(image.width / 60)),
    lambda image: image.resize((max(1, image.width // 5), max(1, image.height // 5))),
)


class LabelledPicture(NamedTuple):
    """A picture whose label is known."""

    path: Path
    label: str


@dataclass(slots=True)
class Counts:
    """Numbers of pictures that were sent."""

    classified: int = 0
    correct: int = 0
    corrupted: int = 0
    with_feedback: int = 0
    stored: int = 0
    """Pictures that the backend stored with the feedback."""


def labelled_pictures(storage: Storage) -> list[LabelledPicture]:
    """Return at most `MAX_PICTURES` test pictures of the served version, shuffled."""
    import pandas as pd  # takes a second

    from animals.config.compose import read_run_config

    card = registry.read_card(storage, registry.read_current(storage).version)
    table = pd.read_parquet(BytesIO(registry.read_file(storage, card, registry.REFERENCE)))
    root = Path(read_run_config(card).data.root)
    table = table.sample(frac=1, random_state=0)
    names, labels = (table[column].astype(str).tolist() for column in ("picture", "target"))
    pictures = [LabelledPicture(root / name, label) for name, label in zip(names, labels, strict=True)]
    existing = [picture for picture in pictures if picture.path.is_file()]
    if not existing:
        raise DataError(
            f"The test pictures of {card.version}, the served version, are not on this machine; expected them in "
            f"{root}. To run the demo with other pictures, use another bucket: ANIMALS_BUCKET=data/demo invoke demo"
        )
    return existing[:MAX_PICTURES]


def send(backend: Backend, pictures: Sequence[LabelledPicture], *, after_each: Callable[[], None]) -> Counts:
    """Classify each picture, some of them corrupted, and send its label as feedback."""
    counts, rng = Counts(), np.random.default_rng(0)
    for picture in pictures:
        corrupted = rng.random() < CORRUPTED
        data = _corrupt(picture.path, rng) if corrupted else picture.path.read_bytes()
        prediction = backend.classify(picture.path.name, data)
        with_picture = rng.random() < WITH_PICTURE
        response = backend.submit_feedback(prediction.prediction_id, picture.label, data if with_picture else None)
        counts.classified += 1
        counts.correct += prediction.prediction == picture.label
        counts.corrupted += corrupted
        counts.with_feedback += response.stored
        counts.stored += response.picture
        after_each()
    return counts


def _corrupt(path: Path, rng: np.random.Generator) -> bytes:
    """Return a picture as a JPEG with one of three corruptions."""
    corruption = _CORRUPTIONS[int(rng.integers(len(_CORRUPTIONS)))]
    file = BytesIO()
    corruption(open_picture(path)).save(file, "JPEG", quality=80)
    return file.getvalue()
