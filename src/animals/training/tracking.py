"""Weights & Biases: who follows a run, and where."""

import logging
import netrc
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlparse

import wandb
from pytorch_lightning.loggers import Logger, WandbLogger

from animals.config.training import TrackingConfig, TrainConfig
from animals.errors import ConfigError
from animals.training.distributed import is_first_process

log = logging.getLogger(__name__)


@contextmanager
def tracked(config: TrainConfig, run: Path) -> Iterator[list[Logger]]:
    """W&B, unless it is disabled, for as long as the block lasts.

    Raises:
        ConfigError: `tracking.mode=online` without an API key.
    """
    loggers: list[Logger] = []
    mode = _choose_mode(config.tracking) if is_first_process() else "disabled"
    if mode != "disabled":
        loggers.append(_wandb_logger(config, run, mode))
    try:
        yield loggers
    except BaseException:
        _finish(loggers, exit_code=1)
        raise
    _finish(loggers, exit_code=0)


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


def log_model(loggers: Iterable[Logger], version: str, folder: Path) -> None:
    """Mirror a version in W&B; the bucket stays the source of truth."""
    for run in _wandb_runs(loggers):
        artifact = wandb.Artifact("animals", type="model", metadata={"version": version})
        artifact.add_dir(str(folder))
        run.log_artifact(artifact, aliases=["latest", version])


def _finish(loggers: Iterable[Logger], *, exit_code: int) -> None:
    """End the run in W&B, so that the next one of the same process is a new one."""
    for run in _wandb_runs(loggers):
        run.finish(exit_code=exit_code)
