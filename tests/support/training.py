"""Trainings as processes of their own, and what they leave behind."""

import subprocess
import sys
from pathlib import Path

import pytest

from animals.records import Card
from animals.training.callbacks import METRICS, read_metrics

QUICK = (
    "data.side=32",
    "data.workers=0",
    "trainer.accelerator=cpu",
    "trainer.precision=fp32",
    "tracking.mode=disabled",
)

SAME_FOR_ANY_PROCESSES = (
    *QUICK,
    "model.name=test_vit",  # no batch norm, whose statistics are of each process's part of a batch
    "optimizer.lr=1e-4",
    *("augment.flip=0", "augment.rotate=0", "augment.zoom=0", "augment.shift=0", "augment.color=0"),
)
"""Overrides of a training whose result does not depend on the number of processes: they draw no random numbers."""


def run_training(
    folder: Path, *overrides: str, launcher: tuple[str, ...] = (), check: bool = True
) -> "subprocess.CompletedProcess[str]":
    """Run `animals train` in a folder."""
    command = [sys.executable, *launcher, "-m", "animals", "train", *overrides]
    done = subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0 or not check, done.stderr
    return done


def only_run(folder: Path) -> Path:
    """Return the folder of the only run in `runs/`."""
    (run,) = (folder / "runs").iterdir()
    return run


def read_card(run: Path) -> Card:
    """Return the card of a finished run."""
    return Card.model_validate_json((run / "version" / "card.json").read_bytes())


def weights(run: Path) -> str:
    """Return the checksum of a finished run's weights."""
    return read_card(run).files["model.safetensors"].sha256


def assert_same_training(one: Path, other: Path) -> None:
    """Compare two runs up to the last digits, which depend on the order in which numbers are added."""
    for row, expected in zip(read_metrics(one / METRICS), read_metrics(other / METRICS), strict=True):
        for name in ("train/loss", "val/loss", "val/accuracy", "lr"):
            assert row[name] == pytest.approx(expected[name], rel=1e-4), name
    losses = [read_card(run).metrics.loss for run in (one, other)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
