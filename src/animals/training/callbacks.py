"""Callbacks of the training loop: report each epoch, save on a signal, resume within an epoch."""

import contextlib
import csv
import logging
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Final

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from animals.errors import Interrupted, PicturesUnavailable, StorageError
from animals.training.runs import LAST

log = logging.getLogger(__name__)

METRICS: Final = Path("metrics", "metrics.csv")
COLUMNS: Final = ("epoch", "train/loss", "train/accuracy", "val/loss", "val/accuracy", "lr", "seconds")

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

SYNC_STEPS: Final = 8
"""Steps between two exchanges of signals among several processes, at which they wait for one another."""


def read_metrics(path: Path) -> list[dict[str, float]]:
    """Return the rows of `metrics/metrics.csv`, one per epoch."""
    with path.open(newline="", encoding="utf-8") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def write_head_metrics(run: Path, row: dict[str, float]) -> None:
    """Write the row of a head into `metrics/metrics.csv`, as epoch -1; rows of epochs after it stay."""
    path = run / METRICS
    epochs = [row for row in read_metrics(path) if row["epoch"] >= 0] if path.exists() else []
    _write_rows(path, [{"epoch": -1, **{name: round(value, 6) for name, value in row.items()}}, *epochs])


def _write_rows(path: Path, rows: Iterable[dict[str, float]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


class EpochReport(Callback):
    """Log of each epoch, and rows of `metrics/metrics.csv`, which a resumed run continues.

    The training metrics of an epoch that was interrupted are those of its part after the interruption.
    """

    def __init__(self, run: Path) -> None:
        self._path = run / METRICS
        self._started = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Drop the rows of epochs that are trained again."""
        self._started = time.monotonic()
        if not trainer.is_global_zero:
            return
        rows = read_metrics(self._path) if self._path.exists() else []
        _write_rows(self._path, (row for row in rows if row["epoch"] < trainer.current_epoch))

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log the epoch; Lightning has validated it by now."""
        if not trainer.is_global_zero:
            return
        now = time.monotonic()
        row = {name: round(float(value), 6) for name, value in trainer.callback_metrics.items() if name in COLUMNS}
        row |= {"epoch": trainer.current_epoch, "seconds": round(now - self._started, 2)}
        self._started = now
        with self._path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, COLUMNS).writerow(row)
        log.info(
            "epoch %2d%s  train loss %.3f  val loss %.3f  val accuracy %5.1f %%  %.0f s",
            *(trainer.current_epoch + 1, f"/{trainer.max_epochs}" if trainer.max_epochs != -1 else ""),
            *(row["train/loss"], row["val/loss"], 100 * row["val/accuracy"], row["seconds"]),
        )


class SaveOnSignal(Callback):
    """Checkpoint and end of the run after the step in which Ctrl-C or SIGTERM arrives; a second signal ends at once.

    A preempted machine has some seconds, and a step takes less than three, also on a CPU. A machine that fails
    without a signal loses at most the minutes since the last checkpoint.

    Args:
        run: the run's folder, for the checkpoint.
        minutes: time between two checkpoints within an epoch; 0 for none.
    """

    def __init__(self, run: Path, minutes: float = 0.0) -> None:
        self._run = run
        self._seconds = 60 * minutes
        self._saved = 0.0
        self._received = False
        self._handlers: dict[signal.Signals, Any] = {}  # those that were there before

    @contextlib.contextmanager
    def handle_signals(self) -> Iterator[None]:
        """Handle signals within the block, if this is the main thread: Python allows it only there.

        Raises:
            Interrupted: a signal arrived after the last step.
        """
        if threading.current_thread() is threading.main_thread():
            self._handlers = {number: signal.signal(number, self._receive) for number in SIGNALS}
        try:
            yield
        finally:
            self._restore()
        if self._received:
            raise Interrupted(self._message("after training"))

    def _restore(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _receive(self, number: int, _: FrameType | None) -> None:
        log.info("%s: saving after this step", signal.Signals(number).name)
        self._received = True
        self._restore()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take SIGTERM back from Lightning, which would end the run as if it were finished."""
        self._saved = time.monotonic()
        if self._handlers and not self._received:
            signal.signal(signal.SIGTERM, self._receive)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *step: Any) -> None:
        """Save if it is time; save and end if any of the processes received a signal."""
        batch_idx = step[-1]
        if trainer.world_size > 1 and batch_idx % SYNC_STEPS:
            return
        due = bool(self._seconds) and time.monotonic() - self._saved > self._seconds
        if not trainer.strategy.reduce_boolean_decision(self._received or due, all=False):
            return
        self._save(trainer)
        if trainer.strategy.reduce_boolean_decision(self._received, all=False):
            raise Interrupted(self._message(f"in epoch {trainer.current_epoch + 1}"))

    def _save(self, trainer: pl.Trainer) -> None:
        trainer.save_checkpoint(self._run / LAST)
        self._saved = time.monotonic()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Note the time: the checkpoint of the epoch is written now."""
        self._saved = time.monotonic()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Save when pictures or the storage became unavailable, which happens between two steps.

        Several processes can save only together, so they do not.
        """
        if isinstance(exception, PicturesUnavailable | StorageError) and trainer.training and trainer.world_size == 1:
            self._save(trainer)

    def _message(self, when: str) -> str:
        return (
            f"Interrupted {when}, nothing is lost. Resume with the same command and trainer.resume=auto, "
            f"or trainer.resume={self._run}"
        )


class ResumeMidEpoch(Callback):
    """Continuation of the order of the pictures from the batch after which a checkpoint was written."""

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Skip the batches of the epoch that were trained on."""
        epoch = checkpoint["epoch"]
        done = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]["current"]["ready"]
        loader: Any = trainer.fit_loop._data_source.instance  # it has no public name yet
        batches = loader.batch_sampler
        batches.resume(epoch, done)
        log.info("Resuming in epoch %d after %d of %d batches", epoch + 1, done, len(batches))
