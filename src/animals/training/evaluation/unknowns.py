"""When an answer should count as "none of the labels": under which confidence, and how well that tells.

A classifier names one of its labels for every picture. The threshold is the confidence that all but one in twenty
validation pictures reach; how well it tells is measured on test pictures, and on pictures of none of the labels.
"""

import logging
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from animals.config.data import DataConfig
from animals.config.training import TrainerConfig
from animals.data.dataset import DataSet
from animals.data.sample.drawings import clutter
from animals.data.sample.scenes import compose, compose_empty
from animals.errors import DataError, PictureError
from animals.inference import probabilities
from animals.preprocess import InputSpec, read_pixels, to_pixels
from animals.records import Rejection
from animals.training.evaluation.predictors import ask_onnx
from animals.training.loader import evaluation_loader

log = logging.getLogger(__name__)

ACCEPTED: Final = 0.95
"""Share of the validation pictures that the threshold lets pass."""

GENERATED: Final = 200
"""Scenes that are painted where `data.unknowns` names no folder; they take three seconds."""

MOST: Final = 1000
"""Pictures of a folder that are asked about, at most; of more, some are drawn by chance, the same ones each time."""

_SMALL: Final = InputSpec(side=1, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


def check_unknowns_folder(folder: str) -> None:
    """Find out before training that a folder of pictures of none of the labels has any.

    Raises:
        DataError: no file in it is a readable picture.
    """
    if folder and next(_readable(folder, _SMALL), None) is None:
        raise DataError(f"data.unknowns={folder}: no file there is a readable picture. Expected pictures of no label.")


def measure_rejection(
    model: Path, data_set: DataSet, data: DataConfig, trainer: TrainerConfig, *, temperature: float
) -> Rejection:
    """Choose the threshold on the validation pictures, and measure on others how well it tells.

    Args:
        model: the ONNX file that serves.
        data_set: the pictures.
        data: says where pictures of none of the labels are.
        trainer: batch size and workers.
        temperature: of the model's probabilities.
    """
    ask = ask_onnx(model, data_set.spec)

    def confidence(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
        return np.asarray(probabilities(ask(pixels), temperature).max(1))

    def of_split(split: str) -> NDArray[np.float64]:
        batches = evaluation_loader(data_set, split, batch_size=trainer.batch_size, workers=trainer.workers)
        return np.concatenate([confidence(pixels.numpy()) for pixels, _ in batches])

    if data.unknowns:
        others, source = np.stack(list(_readable(data.unknowns, data_set.spec))), f"those in {data.unknowns}"
    else:
        others, source = _generated(data_set.spec), "generated scenes, half of them with a thing in the middle"
    found = judge(of_split("val"), of_split("test"), confidence(others), source)
    told = "%.1f %% confidence or more: %.1f %% of the test pictures, %.1f %% of those of none of the labels"
    log.info(told, 100 * found.threshold, 100 * found.accepted, 100 - 100 * found.refused)
    return found


def judge(val: NDArray[np.float64], test: NDArray[np.float64], others: NDArray[np.float64], source: str) -> Rejection:
    """The threshold, from confidences alone.

    Args:
        val: of validation pictures, which choose it.
        test: of test pictures.
        others: of pictures of none of the labels.
        source: what these show.
    """
    threshold = float(np.quantile(val, 1 - ACCEPTED, method="lower"))  # a value that occurs, so at least so many pass
    return Rejection(
        threshold=threshold,
        accepted=float((test >= threshold).mean()),
        refused=float((others < threshold).mean()),
        pictures=len(test),
        others=len(others),
        source=source,
    )


def _generated(spec: InputSpec) -> NDArray[np.uint8]:
    return _scenes(replace(spec, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)))  # applied later, so the same scenes


@lru_cache(maxsize=2)  # who trains twice need not paint twice
def _scenes(spec: InputSpec) -> NDArray[np.uint8]:
    rng = np.random.default_rng(0)
    things = rng.permutation(len(clutter()))[: GENERATED // 2]
    painted: list[Image.Image] = [compose(clutter()[thing], rng) for thing in things]
    painted += [compose_empty(rng) for _ in range(GENERATED - len(painted))]
    return np.stack([to_pixels(picture, spec) for picture in painted])


def _readable(folder: str, spec: InputSpec) -> Iterator[NDArray[np.uint8]]:
    """Pixels of the readable pictures of a folder and the folders in it."""
    paths = sorted(path for path in Path(folder).rglob("*") if path.is_file() and not path.name.startswith("."))
    for place in np.sort(np.random.default_rng(0).permutation(len(paths))[:MOST]):
        try:
            yield read_pixels(paths[place], spec)
        except PictureError as error:
            log.warning("%s is left out: %s", paths[place], error)
