"""Unknowns: the confidence below which a prediction counts as "none of the labels" (out-of-distribution detection).

A classifier gives one of its labels to every picture. The threshold is the confidence that 95 % of the validation
pictures reach. How well it separates is measured on test pictures, and on pictures of none of the labels.
"""

import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Final, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from animals.config.data import DataConfig
from animals.config.training import TrainerConfig
from animals.data.cache import make_once
from animals.data.dataset import DataSet
from animals.data.sample.drawings import clutter
from animals.data.sample.scenes import compose, compose_empty
from animals.errors import DataError, PictureError
from animals.inference import probabilities
from animals.preprocess import InputSpec, read_pixels, to_pixels
from animals.records import Rejection
from animals.training.evaluation.predictors import onnx_predictor
from animals.training.loader import evaluation_loader

log = logging.getLogger(__name__)

ACCEPTED: Final = 0.95
"""Share of the validation pictures that reach the threshold."""

GENERATED: Final = 200
"""Scenes that are generated where `data.unknowns` names no folder; they take three seconds."""

FORMAT: Final = 1
"""Increase it whenever the scenes change; older ones are then not used."""

MOST: Final = 1000
"""Pictures of a folder that are used, at most; of more, the same random ones each time."""

_SMALL: Final = InputSpec(side=1, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


def check_unknowns_folder(folder: str) -> None:
    """Check before training that a folder of pictures of none of the labels has any.

    Raises:
        DataError: no file in it is a readable picture.
    """
    if folder and next(_read_folder(folder, _SMALL), None) is None:
        raise DataError(f"data.unknowns={folder}: no file there is a readable picture. Expected pictures of no label.")


def measure_unknowns(
    model: Path, data_set: DataSet, data: DataConfig, trainer: TrainerConfig, *, temperature: float
) -> Rejection:
    """Choose the threshold on the validation pictures, and measure how well it separates.

    Args:
        model: the ONNX file that serves.
        data_set: the pictures.
        data: names the folder of pictures of none of the labels.
        trainer: batch size and workers.
        temperature: of the model's probabilities.
    """
    predict = onnx_predictor(model, data_set.spec)

    def confidence(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
        return np.asarray(probabilities(predict(pixels), temperature).max(1))

    def confidence_of_split(split: str) -> NDArray[np.float64]:
        batches = evaluation_loader(data_set, split, batch_size=trainer.batch_size, workers=trainer.workers)
        return np.concatenate([confidence(pixels.numpy()) for pixels, _ in batches])

    if data.unknowns:
        unknowns, source = np.stack(list(_read_folder(data.unknowns, data_set.spec))), f"those in {data.unknowns}"
    else:
        unknowns = _generate(data_set.spec, Path(data.cache_dir))
        source = "generated scenes, half of them with a thing in the middle"
    rejection = choose_threshold(
        confidence_of_split("val"), confidence_of_split("test"), confidence(unknowns), source=source
    )
    log.info(
        "%.1f %% confidence or more: %.1f %% of the test pictures, %.1f %% of those of none of the labels",
        100 * rejection.threshold,
        100 * rejection.accepted,
        100 - 100 * rejection.refused,
    )
    return rejection


def choose_threshold(
    val: NDArray[np.float64], test: NDArray[np.float64], unknowns: NDArray[np.float64], *, source: str
) -> Rejection:
    """Choose the threshold from the confidences of validation pictures.

    Args:
        val: confidences of validation pictures.
        test: confidences of test pictures.
        unknowns: confidences of pictures of none of the labels.
        source: where these are from.
    """
    # "lower": a value that occurs, so that at least this share reaches it
    threshold = float(np.quantile(val, 1 - ACCEPTED, method="lower"))
    return Rejection(
        threshold=threshold,
        accepted=float((test >= threshold).mean()),
        refused=float((unknowns < threshold).mean()),
        pictures=len(test),
        others=len(unknowns),
        source=source,
    )


def _generate(spec: InputSpec, cache_dir: Path) -> NDArray[np.uint8]:
    """Return generated scenes, shape (pictures, side, side, 3), from the cache where there are any."""
    plain = replace(spec, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))  # applied later, so the same scenes
    geometry = (FORMAT, GENERATED, spec.side, spec.resize, spec.crop_pct, spec.interpolation)
    key = hashlib.sha256(json.dumps(geometry).encode()).hexdigest()[:16]
    folder = cache_dir / f"unknowns-{key}"
    make_once(folder, lambda temporary: np.save(temporary / "scenes.npy", _scenes(plain)))
    return cast(NDArray[np.uint8], np.load(folder / "scenes.npy"))


@lru_cache(maxsize=2)  # for a second training in the same process with another cache
def _scenes(spec: InputSpec) -> NDArray[np.uint8]:
    rng = np.random.default_rng(0)
    things = rng.permutation(len(clutter()))[: GENERATED // 2]
    scenes: list[Image.Image] = [compose(clutter()[thing], rng) for thing in things]
    scenes += [compose_empty(rng) for _ in range(GENERATED - len(scenes))]
    return np.stack([to_pixels(scene, spec) for scene in scenes])


def _read_folder(folder: str, spec: InputSpec) -> Iterator[NDArray[np.uint8]]:
    """Yield the pixels of the readable pictures of a folder and its subfolders."""
    paths = sorted(path for path in Path(folder).rglob("*") if path.is_file() and not path.name.startswith("."))
    for index in np.sort(np.random.default_rng(0).permutation(len(paths))[:MOST]):
        try:
            yield read_pixels(paths[index], spec)
        except PictureError as error:
            log.warning("%s is left out: %s", paths[index], error)
