"""Weights & Biases: who follows a run, and where."""

import logging
import netrc
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import urlparse

import wandb
from pytorch_lightning.loggers import Logger, WandbLogger

from animals.config.training import TrackingConfig, TrainConfig
from animals.data.dataset import DataSet
from animals.errors import ConfigError
from animals.preprocess import open_picture
from animals.secret_manager import read_secret
from animals.training.distributed import is_first_process
from animals.training.evaluation.metrics import Evaluation

log = logging.getLogger(__name__)

KEY_NAME: Final = "ANIMALS_WANDB_KEY_NAME"
"""Where Secret Manager keeps the API key, if it is not set: projects/PROJECT/secrets/NAME/versions/latest."""

MISTAKES: Final = 50
"""Wrong answers, at most, in W&B's table."""

MISTAKE_COLUMNS: Final = ("image", "picture", "target", "prediction", "confidence")


@contextmanager
def tracked(config: TrainConfig, run: Path) -> Iterator[list[Logger]]:
    """W&B, unless it is disabled, for as long as the block lasts.

    Raises:
        ConfigError: `tracking.mode=online` without an API key, or the secret that should hold one cannot be read.
    """
    loggers: list[Logger] = []
    _fetch_key(config.tracking)
    mode = _choose_mode(config.tracking) if is_first_process() else "disabled"
    if mode != "disabled":
        loggers.append(_wandb_logger(config, run, mode))
    try:
        yield loggers
    except BaseException:
        _finish(loggers, exit_code=1)
        raise
    _finish(loggers, exit_code=0)


def _fetch_key(config: TrackingConfig) -> None:
    """Take the API key out of Secret Manager, where that is said to be its place: W&B looks into the environment."""
    name = os.environ.get(KEY_NAME)
    if name and config.mode in ("auto", "online") and is_first_process() and not os.environ.get("WANDB_API_KEY"):
        os.environ["WANDB_API_KEY"] = read_secret(name, variable=KEY_NAME)


def _choose_mode(config: TrackingConfig) -> str:
    if config.mode == "auto":
        return os.environ.get("WANDB_MODE") or ("online" if _has_key() else "offline")
    if config.mode == "online" and not _has_key():
        raise ConfigError("tracking.mode=online needs a W&B API key. Set WANDB_API_KEY, run `wandb login`, or drop it.")
    return config.mode


def _has_key() -> bool:
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    with suppress(FileNotFoundError, netrc.NetrcParseError):
        return netrc.netrc().authenticators(host) is not None
    return False


def _wandb_logger(config: TrainConfig, run: Path, mode: str) -> WandbLogger:
    started = wandb.init(
        id=run.name,  # a run that goes on after an interruption is the same one
        resume="allow",
        name=run.name,
        dir=run,
        project=config.tracking.project,
        entity=config.tracking.entity,
        group=config.tracking.group,
        mode=cast(Any, mode),
        config=asdict(config),
        settings=wandb.Settings(silent=True),  # it would tell in twelve lines what is said below in one
    )
    if mode == "offline":
        log.info("W&B: offline, no API key found. Send it later with: wandb sync %s", Path(started.dir).parent)
    else:
        log.info("W&B: %s", started.url)
    return WandbLogger(experiment=started)


def _wandb_runs(loggers: Iterable[Logger]) -> list[Any]:
    return [logger.experiment for logger in loggers if isinstance(logger, WandbLogger)]


def log_results(loggers: Iterable[Logger], *, summary: dict[str, float], figures: Iterable[Path]) -> None:
    """Add the final numbers and the figures to W&B's page of the run."""
    for run in _wandb_runs(loggers):
        run.summary.update(summary)
        run.log({figure.stem: wandb.Image(str(figure)) for figure in figures})


def log_mistakes(loggers: Iterable[Logger], evaluation: Evaluation, data_set: DataSet) -> None:
    """Add the wrong answers that the model was surest of to W&B's page of the run: a table with their pictures."""
    for run in _wandb_runs(loggers):
        table = wandb.Table(columns=list(MISTAKE_COLUMNS))
        for place in evaluation.worst_mistakes(MISTAKES):
            table.add_data(*_mistake(evaluation, data_set, int(place)))
        run.log({"worst_mistakes_table": table})


def _mistake(evaluation: Evaluation, data_set: DataSet, place: int) -> tuple[Any, ...]:
    """One row, in the order of `MISTAKE_COLUMNS`."""
    row = data_set.manifest[evaluation.rows[place]]
    picture = wandb.Image(open_picture(data_set.root / row.name))
    prediction = data_set.labels[evaluation.predictions[place]]
    return picture, row.name, row.label, prediction, float(evaluation.probabilities[place].max())


def log_model(loggers: Iterable[Logger], version: str, folder: Path, *, best: bool) -> None:
    """Mirror a version in W&B; the bucket stays the source of truth.

    Args:
        loggers: of the run.
        version: also one of its aliases, beside `latest`.
        folder: its files.
        best: give it the alias `best`, which the version that had it loses.
    """
    aliases = ["latest", version, *(["best"] if best else [])]
    for run in _wandb_runs(loggers):
        artifact = wandb.Artifact("animals", type="model", metadata={"version": version})
        artifact.add_dir(str(folder))
        run.log_artifact(artifact, aliases=aliases)


def _finish(loggers: Iterable[Logger], *, exit_code: int) -> None:
    """End the run in W&B, so that the next one of the same process is a new one."""
    for run in _wandb_runs(loggers):
        run.finish(exit_code=exit_code)
