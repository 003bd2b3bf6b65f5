"""The card of a version: for programs as JSON, for people as the README that the Hugging Face hub shows."""

import importlib.metadata
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Final

from animals.config.training import TrainConfig
from animals.data.load import DataSet
from animals.data.split import sha256_of_test
from animals.preprocess import InputSpec
from animals.records import Calibration, Card, ExportCheck, Metrics, Quantized, Rejection, SplitInfo, now
from animals.registry import CARD, describe

README: Final = "README.md"
PACKAGES: Final = ("animals", "torch", "torchvision", "timm", "pytorch-lightning", "onnxruntime", "pillow", "numpy")
"""Whose versions could change what a run gives."""


def make_card(
    run: Path,
    config: TrainConfig,
    data_set: DataSet,
    manifest_sha256: str,
    *,
    metrics: Metrics,
    temperature: float,
    calibration: Calibration,
    rejection: Rejection,
    export: ExportCheck,
    quantized: Quantized,
) -> Card:
    """Describe the files in the run's `version` folder."""
    files = {path.name: describe(path.read_bytes()) for path in sorted((run / "version").iterdir())}
    # Two runs of one name may start in the same second on two machines: the weights' hash tells them apart,
    # and publishing the same run again gives the same version.
    version = f"{run.name}-{files['model.safetensors'].sha256[:6]}"
    return Card(
        version=version,
        created=now(),
        run=run.name,
        architecture=config.model.name,
        labels=data_set.labels,
        input=data_set.spec,
        metrics=metrics,
        temperature=temperature,
        calibration=calibration,
        rejection=rejection,
        split=SplitInfo(
            manifest_sha256=manifest_sha256,
            seed=data_set.split_seed,
            counts=data_set.counts(),
            test_sha256=sha256_of_test(data_set.manifest),
        ),
        export=export,
        quantized=quantized,
        config=asdict(config),
        git_commit=git_commit(),
        packages={name: importlib.metadata.version(name) for name in PACKAGES},
        files=files,
    )


def git_commit() -> str | None:
    """The commit of the code that runs, with `-dirty` behind it when files differ; None outside a checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=40", "--match="]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603 - fixed
    except (OSError, subprocess.CalledProcessError):
        return None


def write_card(card: Card, folder: Path) -> None:
    """Write both forms beside the files that they describe."""
    (folder / README).write_text(card_for_people(card), encoding="utf-8")
    (folder / CARD).write_text(card.model_dump_json(indent=2), encoding="utf-8")


def card_for_people(card: Card) -> str:
    """The model card in Markdown, with the metadata block of the Hugging Face hub."""
    rows = [
        f"| {label} | {row.precision:.1%} | {row.recall:.1%} | {row.f1:.1%} | {row.pictures} |"
        for label, row in card.metrics.per_label.items()
    ]
    return f"""\
---
library_name: timm
pipeline_tag: image-classification
tags: [image-classification, timm]
metrics: [accuracy, f1]
---

# {card.version}

A {card.architecture} that tells {len(card.labels)} labels apart: {", ".join(card.labels)}.

| | |
|---|---|
| Test accuracy | {card.metrics.accuracy:.1%} of {card.metrics.pictures} pictures |
| F1, macro and weighted | {card.metrics.f1_macro:.3f}, {card.metrics.f1_weighted:.3f} |
| Test loss | {card.metrics.loss:.3f} |
| Calibration | {_calibration_line(card)} |
| None of the labels | {_rejection_line(card.rejection)} |
| Pictures | {", ".join(f"{count} {split}" for split, count in card.split.counts.items())} |
| Input | {_input_line(card.input)} |
| ONNX against torch | {_export_line(card.export)} |
| Serves | {card.quantized.reason if card.quantized else card.serving_file} |
| Made | {card.created:%Y-%m-%d %H:%M} UTC by run {card.run}, commit {card.git_commit or "unknown"} |

| label | precision | recall | F1 | test pictures |
|---|---|---|---|---|
{chr(10).join(rows)}

## Limits

It gives one of its labels for every picture, also for one that shows none of them: little confidence tells only some of
those, and pictures of another kind than those asked about above it may tell worse. It knows pictures like those that
it was trained on: one trained on drawings does not know photographs.

## Use

`timm.create_model("local-dir:FOLDER", pretrained=True)` loads the weights; `{card.serving_file}` runs without torch.
The exact preprocessing is under `input` in `card.json`.
"""


def _calibration_line(card: Card) -> str:
    if card.calibration is None:
        return "none"
    before, after = card.calibration.ece_before, card.calibration.ece_after
    return f"temperature {card.temperature:.2f}, expected calibration error {after:.1%} ({before:.1%} without)"


def _rejection_line(rejection: Rejection | None) -> str:
    if rejection is None:
        return "not measured"
    return (
        f"under {rejection.threshold:.1%} confidence, which {1 - rejection.accepted:.1%} of {rejection.pictures} test "
        f"pictures have and {rejection.refused:.1%} of {rejection.others} pictures of none ({rejection.source})"
    )


def _input_line(spec: InputSpec) -> str:
    settings = asdict(spec)
    return f"{spec.side}x{spec.side} RGB, {settings['resize']}, {settings['interpolation']}"


def _export_line(check: ExportCheck) -> str:
    return (
        f"{check.same_label} of {check.pictures} test pictures have the same label, probabilities differ by up to "
        f"{check.max_probability_difference:.1e}"
    )
