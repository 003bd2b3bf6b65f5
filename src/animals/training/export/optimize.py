"""The comparison of all forms of a published version: size, time, accuracy, and agreement with torch."""

import importlib.metadata
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from animals import registry
from animals.concurrency import progress_bar
from animals.config.compose import read_run_config
from animals.markdown import table
from animals.preprocess import InputSpec, normalize
from animals.records import Card
from animals.storage import Storage
from animals.training.evaluation.evaluate import REPORTS
from animals.training.evaluation.model_under_test import find_card, load_model_under_test
from animals.training.evaluation.statistics import format_share, share_of, spread_sample
from animals.training.export.forms import NAMES, Forms, make_forms
from animals.training.hardware import processor

PACKAGES: Final = ("onnxruntime", "torch", "torch-pruning")
"""Packages whose versions decide how fast a form is."""


@dataclass(frozen=True, slots=True)
class FormMetrics:
    """The measurements of one form, on one thread."""

    name: str
    size: int
    """Of its file, in bytes."""
    latency: float
    """Median time from a normalized picture to the logits, in milliseconds."""
    correct: NDArray[np.bool_]
    """Which test pictures it labels correctly, shape (pictures,)."""
    same_label: float
    """Share of the pictures to which torch gives the same label."""


def compare_forms(storage: Storage, version: str, *, pictures: int, channels: float, epochs: int) -> str:
    """Compare all forms of one version, write reports/versions/VERSION/optimize.md, and return it.

    Args:
        storage: the bucket.
        version: which, or `current`.
        pictures: test pictures, at most, that each form predicts.
        channels: share of the channels to prune.
        epochs: to train after pruning.

    Raises:
        NoModel: the bucket does not have the version.
        BrokenModel: a file cannot be used, or the card's configuration cannot be understood.
        DataError: the pictures are missing, or are not those that the version was made with.
    """
    card = find_card(storage, version)
    data_set = load_model_under_test(storage, card).data_set
    rows = data_set.rows("test")
    rows = rows[spread_sample(data_set.targets[rows], pictures)]
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for file in card.files:
            (folder / file).write_bytes(registry.read_file(storage, card, file))
        forms, failed = make_forms(folder, data_set, read_run_config(card), channels=channels, epochs=epochs)
        pixels = data_set.read_pixels(rows)
        measured = measure(forms, [(pixels, data_set.spec)] * len(forms), data_set.targets[rows])
    report = markdown(card, len(rows), format_table(measured, failed, card))
    path = REPORTS / card.version / "optimize.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(report, encoding="utf-8")
    return f"{report}\nReport: {path}\n"


def measure(
    forms: Forms, inputs: Sequence[tuple[NDArray[np.uint8], InputSpec]], targets: NDArray[np.int64]
) -> list[FormMetrics]:
    """Measure each form on one thread, with a progress bar.

    All forms predict each picture in turn, so that other load on the machine slows all of them alike. The first
    picture is predicted twice, as memory is allocated then.

    Args:
        forms: the labels of the others are compared with those of the first one.
        inputs: for each form the pixels of the same pictures, shape (pictures, side, side, 3), and how to normalize
            them.
        targets: indices of the correct labels, shape (pictures,).
    """
    labels = np.zeros((len(forms), len(targets)), np.int64)
    seconds = np.zeros(labels.shape)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as ONNX Runtime has
    with progress_bar() as progress:
        task = progress.add_task("Measuring all forms", total=len(targets))
        for picture in (0, *range(len(targets))):
            for form, ((_, predict), (pixels, spec)) in enumerate(zip(forms.values(), inputs, strict=True)):
                normalized = normalize(pixels[picture : picture + 1], spec)
                started = time.perf_counter()
                logits = predict(normalized)
                seconds[form, picture] = time.perf_counter() - started
                labels[form, picture] = logits[0].argmax()
            progress.update(task, completed=picture + 1)
    torch.set_num_threads(threads)
    return [
        FormMetrics(
            name=name,
            size=path.stat().st_size,
            latency=1000 * float(np.median(seconds[form])),
            correct=labels[form] == targets,
            same_label=float((labels[form] == labels[0]).mean()),
        )
        for form, (name, (path, _)) in enumerate(forms.items())
    ]


def markdown(card: Card, pictures: int, forms: str) -> str:
    """Return the report in Markdown."""
    packages = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    return f"""\
# Forms of {card.version}

A {card.architecture} at {card.input.side} pixels, on {pictures} test pictures, one at a time. Time is the median on one
thread of a {processor()}, from the normalized picture to the logits; labels are compared with those of torch.
{packages}. [Why these forms](../../../docs/design/export.md)

{forms}
"""


def format_table(measured: Sequence[FormMetrics], failed: Mapping[str, str], card: Card) -> str:
    """Return one row for each form, the one that serves in bold; then the forms that could not be made."""
    serving = NAMES[card.serving_file]
    rows = [
        (
            f"**{form.name}**" if form.name == serving else form.name,
            f"{form.size / 1e6:.1f}",
            f"{form.latency:.2f}",
            f"{measured[0].latency / form.latency:.1f}",
            format_share(share_of(form.correct)),
            f"{form.same_label:.1%}",
        )
        for form in measured
    ]
    head = ("", "size, MB", "ms a picture", "times as fast", "accuracy", "same label")
    notes = [f"{name}: not made. {reason}." for name, reason in failed.items()]
    return "\n\n".join([table(head, rows), *notes, f"{serving} serves. {card.quantized.reason}"])
