"""The training loop: Lightning runs it, with the callbacks of `callbacks.py`."""

import contextlib
import logging
import math
import sys
import warnings
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import (
    Callback,
    EarlyStopping,
    EMAWeightAveraging,
    ModelCheckpoint,
    RichProgressBar,
    Timer,
)
from pytorch_lightning.loggers import Logger
from torch.distributed import DistBackendError

from animals.config.training import TrainerConfig
from animals.data.dataset import DataSet
from animals.errors import AnimalsError, ConfigError, PicturesUnavailable, StorageError
from animals.training.callbacks import EpochReport, ResumeMidEpoch, SaveOnSignal
from animals.training.hardware import (
    LIGHTNING_PRECISION,
    choose_device,
    choose_precision,
    count_devices,
    describe_hardware,
)
from animals.training.loader import evaluation_loader, training_loader
from animals.training.module import PictureClassifier
from animals.training.runs import BEST, LAST
from animals.training.streaming import streaming_loader

log = logging.getLogger(__name__)

MONITOR: Final = "val/loss"


def fit(
    module: PictureClassifier,
    data_set: DataSet,
    run: Path,
    config: TrainerConfig,
    *,
    seed: int,
    seconds: float = math.inf,
    loggers: Sequence[Logger] = (),
    callbacks: Sequence[Callback] = (),
) -> PictureClassifier | None:
    """Train a network, or resume the interrupted run in the folder `run`.

    Writes `checkpoints/best.ckpt` and `checkpoints/last.ckpt` into it after each epoch. The order of the pictures
    follows from `seed`. With a limit of `seconds` the training ends then, whatever `config.epochs` says; those before
    an interruption count.

    Returns:
        The module with the weights of its best epoch, on the CPU; None in all but the first of several processes.

    Raises:
        Interrupted: Ctrl-C or SIGTERM; a checkpoint to resume from is saved.
        PicturesUnavailable, StorageUnavailable: streamed pictures can no longer be read.
        AnimalsError: another of several processes has ended.
    """
    signals = SaveOnSignal(run, config.save_minutes)
    with _quiet_lightning(), _explain_errors(run), signals.handle_signals():
        # signals last: the checkpoint that it saves includes what the others did
        timer = [Timer(timedelta(seconds=seconds), verbose=False)] if math.isfinite(seconds) else []
        trainer = _make_trainer(config, run, loggers, [*timer, *callbacks, signals])
        options: dict[str, Any] = {
            "batch_size": config.batch_size,
            "workers": config.workers,
            "rank": trainer.global_rank,
            "world_size": trainer.world_size,
        }
        train: Any = (
            streaming_loader(data_set.shards, data_set.spec, seed=seed, **options)
            if data_set.shards
            else training_loader(data_set, seed=seed, **options)
        )
        val = evaluation_loader(data_set, "val", **options)
        last = run / LAST
        trainer.fit(module, train, val, ckpt_path=last if last.is_file() else None, weights_only=True)
    if not trainer.is_global_zero:
        return None
    if not (run / BEST).is_file():
        raise ConfigError(f"{run} used up trainer.minutes within its first epoch. Start a new run with more.")
    weights = torch.load(run / BEST, weights_only=True, map_location="cpu")["state_dict"]
    module.cpu().load_state_dict(weights)
    return module


def _make_trainer(
    config: TrainerConfig, run: Path, loggers: Sequence[Logger], callbacks: Sequence[Callback]
) -> pl.Trainer:
    device = choose_device(config.accelerator)
    precision = choose_precision(config.precision, device)
    devices = config.devices or count_devices(device)
    log.info("Training on %s in %s", describe_hardware(config), precision)
    several = devices * config.nodes > 1
    if several and config.sync_batchnorm and device.type != "cuda":
        log.warning("Each process has batch statistics of its own: torch synchronizes batch norm on GPUs only.")
    return pl.Trainer(
        accelerator=device.type,
        devices=devices,
        num_nodes=config.nodes,
        strategy="ddp" if several else "auto",
        use_distributed_sampler=False,  # the loaders split each batch, so that the number of devices changes nothing
        sync_batchnorm=config.sync_batchnorm and device.type == "cuda",
        precision=LIGHTNING_PRECISION[precision],
        max_epochs=-1 if any(isinstance(callback, Timer) for callback in callbacks) else config.epochs,
        accumulate_grad_batches=config.accumulate,
        gradient_clip_val=config.gradient_clip or None,
        logger=list(loggers),
        callbacks=[*_standard_callbacks(config, run), *callbacks],
        enable_progress_bar=sys.stderr.isatty(),
        enable_model_summary=False,
        num_sanity_val_steps=0,
        log_every_n_steps=1,  # Lightning warns of more steps than batches; no metric is logged by step
        default_root_dir=run,
    )


def _standard_callbacks(config: TrainerConfig, run: Path) -> Iterator[Callback]:
    yield ModelCheckpoint(run / BEST.parent, BEST.stem, monitor=MONITOR, save_last=True, enable_version_counter=False)
    yield ResumeMidEpoch()
    yield EpochReport(run)
    if config.ema:
        yield EMAWeightAveraging(decay=config.ema)
    if config.patience:
        yield EarlyStopping(MONITOR, patience=config.patience)
    if sys.stderr.isatty():
        yield RichProgressBar(leave=False)


@contextlib.contextmanager
def _explain_errors(run: Path) -> Iterator[None]:
    """Say how to resume when pictures are unavailable, and which process's message to read when one has failed."""
    try:
        yield
    except (PicturesUnavailable, StorageError) as error:
        if not (run / LAST).is_file():
            raise
        raise type(error)(
            f"{error}\nThe checkpoint is in {run}: resume with the same command and trainer.resume=auto"
        ) from error
    except RuntimeError as error:
        if not isinstance(error, DistBackendError) and "by peer" not in str(error):
            raise
        raise AnimalsError("Another of the training processes has ended; its own message says why.") from error


@contextlib.contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Leave out Lightning's messages on hardware (logged already), advertisements, and deprecations of its own."""
    loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "gcsfs")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`isinstance.treespec, LeafSpec.` is deprecated", FutureWarning)
        # workers would only slow down batches that are copied from the cache
        warnings.filterwarnings("ignore", ".*does not have many workers")
        # it is: ResumeMidEpoch
        warnings.filterwarnings("ignore", ".*your dataloader is not resumable")
        # the folder of a run that is resumed
        warnings.filterwarnings("ignore", "Checkpoint directory .* exists and is not empty")
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
