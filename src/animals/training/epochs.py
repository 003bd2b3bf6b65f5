"""What each epoch gave: a line for people, a row for programs."""

import csv
import logging
import time
from pathlib import Path
from typing import Final

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

log = logging.getLogger(__name__)

METRICS: Final = Path("metrics", "metrics.csv")
COLUMNS: Final = ("epoch", "train/loss", "train/accuracy", "val/loss", "val/accuracy", "lr", "seconds")


class EpochReport(Callback):
    """Logs each epoch and appends it to `metrics/metrics.csv`, also after an interruption.

    Of an epoch that was interrupted and continued, the training figures are those of the later part.
    """

    def __init__(self, run: Path) -> None:
        self._path = run / METRICS
        self._started = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep the rows of the epochs that are not done again."""
        self._started = time.monotonic()
        if not trainer.is_global_zero:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        rows = read_metrics(self._path) if self._path.exists() else []
        with self._path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(row for row in rows if row["epoch"] < trainer.current_epoch)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Say how the epoch went; its validation is over by now."""
        if not trainer.is_global_zero:
            return
        now = time.monotonic()
        row = {name: round(float(value), 6) for name, value in trainer.callback_metrics.items() if name in COLUMNS}
        row |= {"epoch": trainer.current_epoch, "seconds": round(now - self._started, 2)}
        self._started = now
        with self._path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, COLUMNS).writerow(row)
        log.info(
            "epoch %2d/%d  train loss %.3f  val loss %.3f  val accuracy %5.1f %%  %.0f s",
            trainer.current_epoch + 1,
            trainer.max_epochs,
            row["train/loss"],
            row["val/loss"],
            100 * row["val/accuracy"],
            row["seconds"],
        )


def read_metrics(path: Path) -> list[dict[str, float]]:
    """The rows of `metrics/metrics.csv`, one an epoch."""
    with path.open(newline="", encoding="utf-8") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
