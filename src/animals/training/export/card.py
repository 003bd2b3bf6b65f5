"""The card of a version, as JSON for programs and as Markdown for people."""

import importlib.metadata
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Final

from animals.config.training import TrainConfig
from animals.data.dataset import DataSet
from animals.data.split import sha256_of_test
from animals.records import (
    Calibration,
    Card,
    ExportCheck,
    ExternalTest,
    Metrics,
    Quantized,
    Rejection,
    SplitInfo,
    StartingWeights,
    Training,
    now,
)
from animals.registry import CARD, describe
from animals.training.callbacks import METRICS, read_metrics
from animals.training.export.model_card import format_model_card
from animals.training.hardware import choose_device, choose_precision, describe_hardware

README: Final = "README.md"
PACKAGES: Final = ("animals", "torch", "torchvision", "timm", "pytorch-lightning", "onnxruntime", "pillow", "numpy")
"""Packages whose versions can change the result of a run."""


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
    weights: StartingWeights | None,
    tuned: str | None,
    external_test: ExternalTest | None,
) -> Card:
    """Return the card of the files in the run's `version` folder."""
    files = {path.name: describe(path.read_bytes()) for path in sorted((run / "version").iterdir())}
    # Two runs of one name may start in the same second on two machines: their weights have different hashes.
    # Publishing the same run again gives the same version.
    version = f"{run.name}-{files['model.safetensors'].sha256[:6]}"
    return Card(
        version=version,
        created=now(),
        run=run.name,
        data_title=config.data.title,
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
        training=_describe_training(run, config, data_set, weights, tuned),
        external_test=external_test,
        export=export,
        quantized=quantized,
        config=asdict(config),
        git_commit=git_commit(),
        packages={name: importlib.metadata.version(name) for name in PACKAGES},
        files=files,
    )


def _describe_training(
    run: Path, config: TrainConfig, data_set: DataSet, weights: StartingWeights | None, tuned: str | None
) -> Training:
    epochs, trainer = read_metrics(run / METRICS), config.trainer
    trained = config.method == "full" or tuned is not None  # row -1 is that of the head
    best = min((row for row in epochs if (row["epoch"] >= 0) == trained), key=lambda row: row["val/loss"])
    return Training(
        epochs=sum(row["epoch"] >= 0 for row in epochs),
        best_epoch=int(best["epoch"]) + 1,
        seconds=round(sum(row["seconds"] for row in epochs), 2),
        hardware=describe_hardware(trainer),
        precision=choose_precision(trainer.precision, choose_device(trainer.accelerator)),
        labels=dict(sorted(data_set.label_counts("train").items())),
        weights=weights,
        frozen=config.method == "transfer" and not tuned,
        tuned=tuned,
    )


def git_commit() -> str | None:
    """Return the commit of the code, with `-dirty` appended when files differ; None outside a checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=40", "--match="]
    try:
        return subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout.strip()  # noqa: S603 - fixed
    except (OSError, subprocess.CalledProcessError):
        return None


def write_card(card: Card, folder: Path) -> None:
    """Write the card as JSON and as Markdown into the folder of the files that it describes."""
    (folder / README).write_text(format_model_card(card), encoding="utf-8")
    (folder / CARD).write_text(card.model_dump_json(indent=2), encoding="utf-8")
