"""Pictures for the drift experiment: painted, changed, and answered as the service would, each in a worker process."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from PIL import Image, ImageFilter

from animals import registry
from animals.animals10 import ANIMALS10_FOLDERS
from animals.concurrency import in_processes
from animals.cpus import available_cpus
from animals.data.sample.drawings import STYLES
from animals.data.sample.picture import Recipe, SamplePicture
from animals.features import prepared_features
from animals.records import probability_columns, projection_columns
from animals.serving.classifier import Classifier
from animals.storage import open_storage

HELD_OUT: Final = "fluent_flat"
"""The style that the model does not get to see."""
SEEN: Final = tuple(style for style in STYLES if style != HELD_OUT)

CHUNK: Final = 20
DIGITS: Final = 6
"""Decimals of the prediction log."""

Change = Callable[[Image.Image, np.random.Generator], Image.Image]


def darker(share: float) -> Change:
    """With this share of the light."""
    return lambda image, _: image.point([round(value * share) for value in range(256)] * 3)


def blurred(radius: float) -> Change:
    """As if out of focus, by a radius in pixels of a picture 300 pixels wide."""
    return lambda image, _: image.filter(ImageFilter.GaussianBlur(radius))


def noisier(deviation: float) -> Change:
    """As if taken in the dark, by a standard deviation in grey values of 256."""

    def change(image: Image.Image, rng: np.random.Generator) -> Image.Image:
        noise = rng.normal(0, deviation, (image.height, image.width, 3))
        return Image.fromarray((np.asarray(image) + noise).clip(0, 255).astype(np.uint8))

    return change


def smaller(share: float) -> Change:
    """With fewer pixels, which the model does not see if they are enough."""
    return lambda image, _: image.resize((round(image.width * share), round(image.height * share)))


CHANGES: Final[dict[str, Change]] = {
    "saved again": lambda image, _: image,
    "at 80 % of the size": smaller(0.8),
    "darker: 95 % of the light": darker(0.95),
    "darker: 80 % of the light": darker(0.8),
    "darker: 50 % of the light": darker(0.5),
    "blurred by 1 pixel": blurred(1),
    "blurred by 2 pixels": blurred(2),
    "blurred by 4 pixels": blurred(4),
    "noise of 5 grey values": noisier(5),
    "noise of 15 grey values": noisier(15),
    "noise of 40 grey values": noisier(40),
}

UNCHANGED: Final = "unchanged"


@dataclass(frozen=True, slots=True)
class Work:
    """Some pictures, and in which changes they are to be answered."""

    bucket: str
    pictures: tuple[SamplePicture, ...]
    changes: tuple[str, ...]


def pictures(seed: int, count: int, *, style: str | None = None, label: str | None = None) -> list[SamplePicture]:
    """As many of each label, or of one, none of which is in a set of another seed."""
    recipe = Recipe(seed, SEEN if style is None else (style,))
    folders = [folder for folder, name in ANIMALS10_FOLDERS.items() if label in (None, name)]
    return [SamplePicture(recipe, folders[number % len(folders)], number // len(folders)) for number in range(count)]


def answers(
    bucket: Path, wanted: Sequence[SamplePicture], changes: Sequence[str] = (UNCHANGED,)
) -> Mapping[str, pd.DataFrame]:
    """For each change a table as of the prediction log, with the right label in `target`, in the pictures' order."""
    work = [
        Work(str(bucket), tuple(wanted[start : start + CHUNK]), tuple(changes))
        for start in range(0, len(wanted), CHUNK)
    ]
    done = dict(in_processes(_answer, work, workers=available_cpus()))
    return {change: pd.DataFrame([row for part in work for row in done[part][change]]) for change in changes}


def _answer(work: Work) -> dict[str, list[dict[str, Any]]]:
    classifier = _classifier(work.bucket)
    rows: dict[str, list[dict[str, Any]]] = {change: [] for change in work.changes}
    for picture in work.pictures:
        file = picture.paint()
        for change in work.changes:
            answered = _row(classifier, file if change == UNCHANGED else _changed(file, change, picture.index))
            rows[change].append({"target": ANIMALS10_FOLDERS[picture.folder], **answered})
    return rows


@functools.cache
def _classifier(bucket: str) -> Classifier:
    storage = open_storage(bucket)
    card = registry.read_card(storage, registry.read_current(storage).version)
    return Classifier(card, registry.read_file(storage, card, card.serving_file))


def _changed(file: bytes, change: str, seed: int) -> bytes:
    image = Image.open(BytesIO(file)).convert("RGB")
    changed = BytesIO()
    CHANGES[change](image, np.random.default_rng(seed)).save(changed, "JPEG", quality=90)
    return changed.getvalue()


def _row(classifier: Classifier, file: bytes) -> dict[str, Any]:
    """The columns of `LoggedPrediction.row` that tell of picture and answer."""
    prepared, labels, spec = classifier.decode(file), classifier.card.labels, classifier.card.input
    batch = prepared.pixels[np.newaxis]
    found = classifier.infer(batch)
    shares = dict(zip(labels, found.probabilities[0].round(DIGITS).tolist(), strict=True))
    prediction = max(shares, key=shares.__getitem__)
    features = prepared_features(batch, spec.mean, spec.std)
    projection = () if found.projections is None else found.projections[0].tolist()
    rounded = partial(round, ndigits=DIGITS)
    return {
        "prediction": prediction,
        "confidence": shares[prediction],
        **probability_columns(shares),
        **{name: rounded(float(values[0])) for name, values in features.items()},
        "width": prepared.size[0],
        "height": prepared.size[1],
        **projection_columns(map(rounded, projection)),
    }
