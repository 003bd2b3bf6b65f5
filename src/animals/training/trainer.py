"""The loop: Lightning runs it, this says what is watched, kept and shown."""

import contextlib
import logging
import math
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, EarlyStopping, EMAWeightAveraging, ModelCheckpoint, RichProgressBar
from pytorch_lightning.loggers import Logger
from torch import nn
from torch.distributed import DistBackendError

from animals.config.training import TrainConfig
from animals.data.dataset import DataSet
from animals.errors import AnimalsError, PicturesUnavailable, StorageError
from animals.training.epochs import EpochReport
from animals.training.hardware import LIGHTNING_PRECISION, choose_device, choose_precision, count_devices
from animals.training.interrupt import SaveOnSignal
from animals.training.loader import Part, evaluation_loader, training_loader
from animals.training.module import PictureClassifier
from animals.training.runs import BEST, LAST

log = logging.getLogger(__name__)

MONITOR: Final = "val/loss"


def fit(
    model: nn.Module,
    data_set: DataSet,
    config: TrainConfig,
    run: Path,
    loggers: Sequence[Logger],
    watchers: Sequence[Callback] = (),
) -> PictureClassifier | None:
    """Train, or go on where an interrupted run was.

    Writes `checkpoints/best.ckpt` and `checkpoints/last.ckpt` into the run's folder after each epoch.

    Args:
        model: one output a label.
        data_set: the pictures.
        config: of the run.
        run: its folder.
        loggers: follow the metrics.
        watchers: further callbacks.

    Returns:
        The module with the weights of its best epoch, on the CPU; None in all but the first of several processes.

    Raises:
        Interrupted: Ctrl-C or SIGTERM; what is needed to go on is saved.
        PicturesUnavailable, StorageUnavailable: pictures that are streamed are not to be had any more.
        AnimalsError: another of several processes has ended.
    """
    settings = config.trainer
    signals = SaveOnSignal(run, settings.save_minutes)
    with _quiet_lightning(), _explained(run), signals.watching():
        # signals last: what it saves includes the others' work
        trainer = _make_trainer(config, run, loggers, [*watchers, signals])
        sizes = {"batch_size": settings.batch_size, "workers": settings.workers}
        part = Part(trainer.global_rank, trainer.world_size)
        train = training_loader(data_set, seed=config.seed, part=part, **sizes)
        steps = settings.epochs * math.ceil(len(train) / settings.accumulate)
        module = PictureClassifier(model, config, data_set.spec, steps)
        val = evaluation_loader(data_set, "val", part=part, **sizes)
        last = run / LAST
        trainer.fit(module, train, val, ckpt_path=last if last.is_file() else None, weights_only=True)
    if not trainer.is_global_zero:
        return None
    weights = torch.load(run / BEST, weights_only=True, map_location="cpu")["state_dict"]
    module.cpu().load_state_dict(weights)
    return module


@contextlib.contextmanager
def _explained(run: Path) -> Iterator[None]:
    """Say how to go on when pictures are lost, and that it is another process's message that counts."""
    try:
        yield
    except (PicturesUnavailable, StorageError) as error:
        if not (run / LAST).is_file():
            raise
        raise type(error)(
            f"{error}\nWhat was trained is in {run}: go on with the same command and trainer.resume=auto"
        ) from error
    except RuntimeError as error:
        if not isinstance(error, DistBackendError) and "by peer" not in str(error):
            raise
        raise AnimalsError("Another of the training processes has ended; its own message says why.") from error


def _make_trainer(config: TrainConfig, run: Path, loggers: Sequence[Logger], last: Sequence[Callback]) -> pl.Trainer:
    settings = config.trainer
    device = choose_device(settings.accelerator)
    precision = choose_precision(settings.precision, device)
    devices = settings.devices or count_devices(device)
    log.info("Training %s on %s in %s", config.model.name, _describe(device.type, devices, settings.nodes), precision)
    several = devices * settings.nodes > 1
    if several and settings.sync_batchnorm and device.type != "cuda":
        log.warning("Each process has batch statistics of its own: torch synchronizes batch norm on GPUs only.")
    best = ModelCheckpoint(run / BEST.parent, BEST.stem, monitor=MONITOR, save_last=True, enable_version_counter=False)
    return pl.Trainer(
        accelerator=device.type,
        devices=devices,
        num_nodes=settings.nodes,
        strategy="ddp" if several else "auto",
        use_distributed_sampler=False,  # ours share out each batch, so that the number of devices changes nothing
        sync_batchnorm=settings.sync_batchnorm and device.type == "cuda",  # torch can do it on GPUs only
        precision=LIGHTNING_PRECISION[precision],
        max_epochs=settings.epochs,
        accumulate_grad_batches=settings.accumulate,
        gradient_clip_val=settings.gradient_clip or None,
        logger=list(loggers),
        callbacks=[best, *_callbacks(config, run), *last],
        enable_progress_bar=sys.stderr.isatty(),
        enable_model_summary=False,
        num_sanity_val_steps=0,
        log_every_n_steps=1,  # of the metrics that are logged by step: none
        default_root_dir=run,
    )


def _describe(device: str, devices: int, nodes: int) -> str:
    several = f"{devices} x {device}" if devices > 1 else device
    return f"{nodes} machines with {several}" if nodes > 1 else several


def _callbacks(config: TrainConfig, run: Path) -> Iterator[Callback]:
    yield GoOnWithinEpoch()
    yield EpochReport(run)
    if config.trainer.ema:
        yield EMAWeightAveraging(decay=config.trainer.ema)
    if config.trainer.patience:
        yield EarlyStopping(MONITOR, patience=config.trainer.patience)
    if sys.stderr.isatty():
        yield PlainProgressBar(leave=False)


class PlainProgressBar(RichProgressBar):
    """A bar without numbers beside it: they have a line each epoch."""

    def get_metrics(self, *_: Any) -> dict[str, Any]:
        """None."""
        return {}


class GoOnWithinEpoch(Callback):
    """Takes the order of the pictures up where a checkpoint was written."""

    def on_load_checkpoint(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        checkpoint: dict[str, Any],
    ) -> None:
        """Skip the batches of the epoch that were seen."""
        epoch = checkpoint["epoch"]
        done = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]["current"]["ready"]
        loader: Any = trainer.fit_loop._data_source.instance  # it has no public name yet
        batches = loader.batch_sampler
        batches.go_on(epoch, done)
        log.info("Going on in epoch %d after %d of %d batches", epoch + 1, done, len(batches))


@contextlib.contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Leave out what Lightning says of itself: hardware (said already), advertisements, its own old calls."""
    loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "gcsfs")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`isinstance.treespec, LeafSpec.` is deprecated", FutureWarning)
        # workers would only slow down batches that are copied from the cache
        warnings.filterwarnings("ignore", ".*does not have many workers")
        # it is: GoOnWithinEpoch
        warnings.filterwarnings("ignore", ".*your dataloader is not resumable")
        # the folder of a run that goes on
        warnings.filterwarnings("ignore", "Checkpoint directory .* exists and is not empty")
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
