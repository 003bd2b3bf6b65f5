"""Pictures of the drift experiment: drawn, changed, and classified as the service does, in worker processes."""

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
"""The style that the model is not trained on."""
SEEN: Final = tuple(style for style in STYLES if style != HELD_OUT)

CHUNK: Final = 20
DIGITS: Final = 6
"""Decimals of the prediction log."""

Change = Callable[[Image.Image, np.random.Generator], Image.Image]


def darker(share: float) -> Change:
    """Return a change that keeps this share of the light."""
    return lambda image, _: image.point([round(value * share) for value in range(256)] * 3)


def blurred(radius: float) -> Change:
    """Return a Gaussian blur with a radius in pixels of a picture 300 pixels wide."""
    return lambda image, _: image.filter(ImageFilter.GaussianBlur(radius))


def noisier(deviation: float) -> Change:
    """Return noise with a standard deviation in grey values of 256."""

    def change(image: Image.Image, rng: np.random.Generator) -> Image.Image:
        noise = rng.normal(0, deviation, (image.height, image.width, 3))
        return Image.fromarray((np.asarray(image) + noise).clip(0, 255).astype(np.uint8))

    return change


def smaller(share: float) -> Change:
    """Return a change of size, which matters to the model only if the picture becomes smaller than its input."""
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
class Batch:
    """Pictures for one worker, and the changes to apply."""

    bucket: str
    pictures: tuple[SamplePicture, ...]
    changes: tuple[str, ...]


def pictures(seed: int, count: int, *, style: str | None = None, label: str | None = None) -> list[SamplePicture]:
    """Return pictures of all labels or of one; sets of different seeds have none in common."""
    recipe = Recipe(seed, SEEN if style is None else (style,))
    folders = [folder for folder, name in ANIMALS10_FOLDERS.items() if label in (None, name)]
    return [SamplePicture(recipe, folders[number % len(folders)], number // len(folders)) for number in range(count)]


def classify(
    bucket: Path, shown: Sequence[SamplePicture], changes: Sequence[str] = (UNCHANGED,)
) -> Mapping[str, pd.DataFrame]:
    """Return a table like the prediction log for each change, with the right label in `target`."""
    batches = [
        Batch(str(bucket), tuple(shown[start : start + CHUNK]), tuple(changes)) for start in range(0, len(shown), CHUNK)
    ]
    results = dict(in_processes(_classify, batches, workers=available_cpus()))
    return {change: pd.DataFrame([row for batch in batches for row in results[batch][change]]) for change in changes}


def _classify(batch: Batch) -> dict[str, list[dict[str, Any]]]:
    classifier = _classifier(batch.bucket)
    rows: dict[str, list[dict[str, Any]]] = {change: [] for change in batch.changes}
    for picture in batch.pictures:
        file = picture.paint()
        for change in batch.changes:
            row = _row(classifier, file if change == UNCHANGED else _changed(file, change, picture.index))
            rows[change].append({"target": ANIMALS10_FOLDERS[picture.folder], **row})
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
    """Return a row of the table of predictions, by the name of each column."""
    prepared, labels, spec = classifier.decode(file), classifier.card.labels, classifier.card.input
    batch = prepared.pixels[np.newaxis]
    output = classifier.infer(batch)
    shares = dict(zip(labels, output.probabilities[0].round(DIGITS).tolist(), strict=True))
    prediction = max(shares, key=shares.__getitem__)
    features = prepared_features(batch, spec.mean, spec.std)
    projection = () if output.projections is None else output.projections[0].tolist()
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
