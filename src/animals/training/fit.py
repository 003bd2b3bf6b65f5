"""The loop: Lightning runs it, this says what is watched, kept and shown."""

import contextlib
import logging
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint, RichProgressBar
from pytorch_lightning.loggers import Logger

from animals.config.training import TrainConfig
from animals.data.load import DataSet
from animals.training.hardware import LIGHTNING_PRECISION, choose_device, choose_precision
from animals.training.loader import make_loader
from animals.training.module import PictureClassifier

log = logging.getLogger(__name__)

MONITOR = "val/loss"


class EpochLines(Callback):
    """One line an epoch, for terminals and log files alike."""

    def __init__(self) -> None:
        self._started = 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Remember when."""
        self._started = time.monotonic()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Say how it went; validation is over by now."""
        values = {name: float(value) for name, value in trainer.callback_metrics.items()}
        log.info(
            "epoch %2d/%d  train loss %.3f  val loss %.3f  val accuracy %5.1f %%  %.0f s",
            trainer.current_epoch + 1,
            trainer.max_epochs,
            values["train/loss"],
            values["val/loss"],
            100 * values["val/accuracy"],
            time.monotonic() - self._started,
        )


def fit(
    module: PictureClassifier, data_set: DataSet, config: TrainConfig, run: Path, loggers: Sequence[Logger]
) -> None:
    """Train, and leave the module with the weights of its best epoch.

    Writes `checkpoints/best.ckpt` and `checkpoints/last.ckpt` into the run's folder.
    """
    settings = config.trainer
    device = choose_device(settings.accelerator)
    precision = choose_precision(settings.precision, device)
    log.info("Training %s on %s in %s", config.model.name, device.type, precision)
    best = ModelCheckpoint(run / "checkpoints", "best", monitor=MONITOR, save_last=True)
    sizes = {"batch_size": settings.batch_size, "workers": settings.workers}
    with _quiet_lightning():
        trainer = pl.Trainer(
            accelerator=device.type,
            devices=1,
            precision=LIGHTNING_PRECISION[precision],
            max_epochs=settings.epochs,
            gradient_clip_val=settings.gradient_clip or None,
            logger=list(loggers),
            callbacks=[best, EpochLines(), *_early_stopping(settings.patience), *_progress_bar()],
            enable_progress_bar=sys.stderr.isatty(),
            enable_model_summary=False,
            num_sanity_val_steps=0,
            log_every_n_steps=1,  # of the metrics that are logged by step: none
            default_root_dir=run,
        )
        trainer.fit(
            module,
            make_loader(data_set, "train", shuffle_seed=config.seed, **sizes),
            make_loader(data_set, "val", **sizes),
        )
    if trainer.interrupted:
        raise KeyboardInterrupt
    module.load_state_dict(torch.load(best.best_model_path, weights_only=True, map_location="cpu")["state_dict"])


@contextlib.contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Leave out what Lightning says of itself: hardware (said already), advertisements, its own old calls."""
    logger = logging.getLogger("pytorch_lightning.utilities.rank_zero")
    level = logger.level
    logger.setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`isinstance.treespec, LeafSpec.` is deprecated", FutureWarning)
        # workers would only slow down batches that are copied from the cache
        warnings.filterwarnings("ignore", ".*does not have many workers")
        yield
    logger.setLevel(level)


def _early_stopping(patience: int) -> list[Callback]:
    return [EarlyStopping(MONITOR, patience=patience)] if patience else []


def _progress_bar() -> list[Callback]:
    return [RichProgressBar()] if sys.stderr.isatty() else []
