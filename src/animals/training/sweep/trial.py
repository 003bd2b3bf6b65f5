"""One trial: trained and validated, nothing else. No export, no publishing, and the test split is not looked at."""

import math
import shutil
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
import pytorch_lightning as pl
from omegaconf import OmegaConf
from optuna.trial import Trial
from pytorch_lightning.callbacks import Callback

from animals.config.compose import compose_train_config
from animals.config.training import TrainConfig
from animals.data.load import load_data_set
from animals.data.statistics import standardize
from animals.errors import Interrupted
from animals.training import tracking
from animals.training.model import input_spec
from animals.training.module import build_module
from animals.training.runs import BEST, CONFIG, log_to_file
from animals.training.sweep.space import overrides
from animals.training.sweep.study import FOLDER, LOSS, Sweep
from animals.training.sweep.work import Stopped
from animals.training.trainer import MONITOR, fit


class EpochValue(Callback):
    """Tells Optuna how each epoch went, and ends a trial that is not worth going on with.

    Args:
        trial: whom to tell.
        metric: `val/accuracy` or `val/loss`.
        stopped: asked after each step.
    """

    def __init__(self, trial: Trial, metric: str, stopped: Stopped) -> None:
        self._trial = trial
        self._metric = metric
        self._stopped = stopped
        self._best = (math.inf, math.nan)

    @property
    def best(self) -> tuple[float, float]:
        """Loss and metric of the epoch with the lowest loss, which is the one that a run keeps."""
        return self._best

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *step: Any) -> None:
        """End when the sweep ends."""
        if self._stopped():
            raise Interrupted("The sweep was stopped.")

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Report, and give up if Optuna says so; the epoch's validation is over by now."""
        loss, value = (float(trainer.callback_metrics[name]) for name in (MONITOR, self._metric))
        if not math.isfinite(loss):
            raise optuna.TrialPruned(f"the loss is {loss}")
        self._best = min(self._best, (loss, value))
        self._trial.report(value, trainer.current_epoch)
        more = trainer.current_epoch + 1 < (trainer.max_epochs or 0)
        if more and self._trial.should_prune():
            raise optuna.TrialPruned("worse than most")


def run_trial(sweep: Sweep, trial: Trial, stopped: Stopped) -> float:
    """Train with the trial's values, in a folder of its own below the sweep's.

    Returns:
        The sweep's metric in the trial's best epoch.

    Raises:
        optuna.TrialPruned: it is not worth going on with.
        Interrupted: the sweep was stopped.
        AnimalsError: whatever stands in the way.
    """
    config = _configure(sweep, trial)
    folder = sweep.folder / "trials" / f"{datetime.now().astimezone():%Y%m%d-%H%M%S}-{sweep.name}-{trial.number:03}"
    folder.mkdir(parents=True)
    trial.set_user_attr(FOLDER, folder.as_posix())
    OmegaConf.save(OmegaConf.structured(config), folder / CONFIG)
    epochs = EpochValue(trial, sweep.metric, stopped)
    try:
        with log_to_file(folder):
            pruned = _train(config, folder, epochs)
    finally:
        # twenty trials would fill gigabytes with weights that nobody asks for
        shutil.rmtree(folder / BEST.parent, ignore_errors=True)
    if pruned:
        raise pruned
    loss, value = epochs.best
    trial.set_user_attr(LOSS, loss)
    return value


def _configure(sweep: Sweep, trial: Trial) -> TrainConfig:
    config = compose_train_config([*sweep.args, *overrides(trial.params)])
    return replace(config, name=sweep.name, tracking=replace(config.tracking, group=sweep.name))


def _train(config: TrainConfig, folder: Path, epochs: EpochValue) -> optuna.TrialPruned | None:
    """Train; a pruned trial is given back rather than raised, since for W&B it is a run that ended well."""
    data_set = load_data_set(config.data, input_spec(config.model, config.data))
    data_set = standardize(data_set, config.data, config.model)
    with tracking.track_run(config.tracking, folder, asdict(config)) as loggers:
        module, pruned = build_module(config, data_set), None
        try:
            fit(module, data_set, folder, config.trainer, seed=config.seed, loggers=loggers, callbacks=[epochs])
        except optuna.TrialPruned as error:
            pruned = error
        summary = {"sweep/value": epochs.best[1], "sweep/pruned": float(pruned is not None)}
        tracking.log_results(loggers, summary=summary, figures=[])
    return pruned
