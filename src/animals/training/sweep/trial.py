"""One trial: trained and validated. Nothing is exported or published, and the test split is not read."""

import math
import shutil
from dataclasses import asdict
from pathlib import Path

import optuna
import pytorch_lightning as pl
from omegaconf import OmegaConf
from optuna.trial import Trial
from pytorch_lightning.callbacks import Callback

from animals.config.training import TrainConfig
from animals.data.load import load_data_set
from animals.data.statistics import standardize
from animals.training import tracking
from animals.training.model import input_spec
from animals.training.module import build_module
from animals.training.runs import BEST, CONFIG, log_to_file
from animals.training.trainer import MONITOR, fit


class ReportEpochs(Callback):
    """Reports each epoch to Optuna, and ends a trial that diverges or that Optuna prunes."""

    def __init__(self, trial: Trial, metric: str) -> None:
        self._trial = trial
        self._metric = metric
        self.best = (math.inf, math.nan)
        """Loss and metric of the epoch with the lowest loss, which is the one that a run keeps."""

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Report the epoch, whose validation is over by now.

        Raises:
            optuna.TrialPruned: the trial is not worth finishing.
        """
        loss, value = (float(trainer.callback_metrics[name]) for name in (MONITOR, self._metric))
        if not math.isfinite(loss):
            raise optuna.TrialPruned(f"the loss is {loss}")
        self.best = min(self.best, (loss, value))
        self._trial.report(value, trainer.current_epoch)
        last = trainer.current_epoch + 1 == trainer.max_epochs
        if not last and self._trial.should_prune():
            raise optuna.TrialPruned("worse than most")


def run_trial(trial: Trial, config: TrainConfig, folder: Path, metric: str) -> tuple[float, float]:
    """Train with one configuration in a folder of its own, which keeps the log and the metrics but no weights.

    Returns:
        Loss and metric of the epoch with the lowest loss.

    Raises:
        optuna.TrialPruned: the trial is not worth finishing.
        Interrupted: Ctrl-C or SIGTERM.
        AnimalsError: the pictures, the model or the machine cannot be used.
    """
    folder.mkdir(parents=True)
    OmegaConf.save(OmegaConf.structured(config), folder / CONFIG)
    report = ReportEpochs(trial, metric)
    pruned = None
    with log_to_file(folder):
        data_set = load_data_set(config.data, input_spec(config.model, config.data))
        data_set = standardize(data_set, config.data, config.model)
        with tracking.track_run(config.tracking, folder, asdict(config)) as loggers:
            module = build_module(config, data_set)
            try:
                fit(module, data_set, folder, config.trainer, seed=config.seed, loggers=loggers, callbacks=[report])
            except optuna.TrialPruned as error:  # raised below: for W&B its run ended well
                pruned = error
            finally:  # the weights of twenty trials would fill gigabytes
                shutil.rmtree(folder / BEST.parent, ignore_errors=True)
            summary = {"sweep/value": report.best[1], "sweep/pruned": float(pruned is not None)}
            tracking.log_results(loggers, summary=summary, figures=[])
    if pruned:
        raise pruned
    return report.best
