"""The test on pictures from another source: `data.external_test`."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from sklearn.metrics import f1_score

from animals.data.decode import inspect_pictures
from animals.data.folders import Picture, find_pictures
from animals.errors import DataError
from animals.preprocess import InputSpec, read_pixels
from animals.records import ExternalTest
from animals.training.evaluation.predictors import BATCH, onnx_predictor

log = logging.getLogger(__name__)


def find_external_test(
    folder: str, folders: Mapping[str, str], labels: Sequence[str], spec: InputSpec, *, workers: int
) -> list[Picture]:
    """Return the readable pictures of another folder whose labels are among the run's, and log the other labels.

    Args:
        folder: of label folders; empty for none.
        folders: folder name -> label; a folder that it lacks is called as its label.
        labels: of the run.
        spec: size of the pixels.
        workers: processes that decode.

    Raises:
        DataError: the folder cannot be used, or has no such picture.
    """
    if not folder:
        return []
    found = [
        replace(picture, label=folders.get(picture.label, picture.label)) for picture in find_pictures(Path(folder), {})
    ]
    if unknown := sorted({picture.label for picture in found} - set(labels)):
        log.warning("%s: pictures of %s are left out, as the run has no such label", folder, ", ".join(unknown))
    used = [picture for picture in found if picture.label in labels]
    names = [picture.name for picture in used]
    inspections = inspect_pictures(Path(folder), names, spec, out=None, workers=workers)
    readable = [picture for picture, it in zip(used, inspections, strict=True) if not it.problem]
    if not readable:
        raise DataError(f"data.external_test={folder} has no readable picture of the labels {', '.join(labels)}.")
    return readable


def measure_external_test(
    model: Path, spec: InputSpec, labels: Sequence[str], folder: str, pictures: Sequence[Picture]
) -> ExternalTest | None:
    """Predict pictures of another folder with an exported model; return None without any.

    Args:
        model: the ONNX file that serves.
        spec: of its input.
        labels: in the order of its outputs.
        folder: the other folder.
        pictures: from `find_external_test`.
    """
    if not pictures:
        return None
    root = Path(folder)
    predict = onnx_predictor(model, spec)
    predictions: list[int] = []
    for first in range(0, len(pictures), BATCH):
        pixels = np.stack([read_pixels(root / picture.name, spec) for picture in pictures[first : first + BATCH]])
        predictions += predict(pixels).argmax(1).tolist()
    targets = [labels.index(picture.label) for picture in pictures]
    return ExternalTest(
        folder=folder,
        pictures=len(pictures),
        accuracy=float(np.mean(np.array(predictions) == targets)),
        f1_macro=float(f1_score(targets, predictions, labels=sorted(set(targets)), average="macro")),
    )
