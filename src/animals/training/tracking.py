"""Weights & Biases: metrics, figures, mistakes and the model of a run."""

import logging
import netrc
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import urlparse

import wandb
from pytorch_lightning.loggers import Logger, WandbLogger

from animals.config.training import TrackingConfig
from animals.data.dataset import DataSet
from animals.errors import ConfigError
from animals.preprocess import open_picture
from animals.secret_manager import read_secret
from animals.training.distributed import is_first_process
from animals.training.evaluation.metrics import Evaluation

log = logging.getLogger(__name__)

KEY_NAME: Final = "ANIMALS_WANDB_KEY_NAME"
"""Name of the API key in Secret Manager, read if WANDB_API_KEY is not set.

Its form is projects/PROJECT/secrets/NAME/versions/latest.
"""

MISTAKES: Final = 50
"""Largest number of wrong answers in W&B's table."""

MISTAKE_COLUMNS: Final = ("image", "picture", "target", "prediction", "confidence")


@contextmanager
def track_run(config: TrackingConfig, run: Path, settings: Mapping[str, Any]) -> Iterator[list[Logger]]:
    """Open a run of W&B, unless it is disabled, and finish it after the block.

    W&B shows `settings`, the whole configuration of the run.

    Raises:
        ConfigError: `tracking.mode=online` without an API key, or the secret that should hold one cannot be read.
    """
    loggers: list[Logger] = []
    _fetch_key(config)
    mode = _choose_mode(config) if is_first_process() else "disabled"
    if mode != "disabled":
        loggers.append(_wandb_logger(config, run, settings, mode))
    try:
        yield loggers
    except BaseException:
        _finish(loggers, exit_code=1)
        raise
    _finish(loggers, exit_code=0)


def _fetch_key(config: TrackingConfig) -> None:
    """Read the API key from Secret Manager, if it is configured, into the environment, where W&B reads it."""
    name = os.environ.get(KEY_NAME)
    if name and config.mode in ("auto", "online") and is_first_process() and not os.environ.get("WANDB_API_KEY"):
        os.environ["WANDB_API_KEY"] = read_secret(name, variable=KEY_NAME)


def _choose_mode(config: TrackingConfig) -> str:
    if config.mode == "auto":
        return os.environ.get("WANDB_MODE") or ("online" if _has_key() else "offline")
    if config.mode == "online" and not _has_key():
        raise ConfigError(
            "tracking.mode=online needs a W&B API key. Set WANDB_API_KEY, run `wandb login`, or use tracking.mode=auto."
        )
    return config.mode


def _has_key() -> bool:
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    with suppress(FileNotFoundError, netrc.NetrcParseError):
        return netrc.netrc().authenticators(host) is not None
    return False


def _wandb_logger(config: TrackingConfig, run: Path, settings: Mapping[str, Any], mode: str) -> WandbLogger:
    experiment = wandb.init(
        id=run.name,  # a resumed run is the same run
        resume="allow",
        name=run.name,
        dir=run,
        project=config.project,
        entity=config.entity,
        group=config.group,
        mode=cast(Any, mode),
        config=dict(settings),
        settings=wandb.Settings(silent=True),  # the line below says it in one line instead of twelve
    )
    if mode == "offline":
        log.info("W&B: offline, no API key found. Upload it later with: wandb sync %s", Path(experiment.dir).parent)
    else:
        log.info("W&B: %s", experiment.url)
    return WandbLogger(experiment=experiment)


def _wandb_runs(loggers: Iterable[Logger]) -> list[Any]:
    return [logger.experiment for logger in loggers if isinstance(logger, WandbLogger)]


def log_results(loggers: Iterable[Logger], *, summary: dict[str, float], figures: Iterable[Path]) -> None:
    """Add the final metrics and the figures to the run in W&B."""
    for run in _wandb_runs(loggers):
        run.summary.update(summary)
        run.log({figure.stem: wandb.Image(str(figure)) for figure in figures})


def log_mistakes(loggers: Iterable[Logger], evaluation: Evaluation, data_set: DataSet) -> None:
    """Add a table of the most confident wrong answers, with their pictures, to the run in W&B."""
    for run in _wandb_runs(loggers):
        table = wandb.Table(columns=list(MISTAKE_COLUMNS))
        for index in evaluation.worst_mistakes(MISTAKES):
            table.add_data(*_mistake(evaluation, data_set, int(index)))
        run.log({"worst_mistakes_table": table})


def _mistake(evaluation: Evaluation, data_set: DataSet, index: int) -> tuple[Any, ...]:
    """Return one row, in the order of `MISTAKE_COLUMNS`."""
    row = data_set.manifest[evaluation.rows[index]]
    picture = wandb.Image(open_picture(data_set.root / row.name))
    prediction = data_set.labels[evaluation.predictions[index]]
    return picture, row.name, row.label, prediction, float(evaluation.probabilities[index].max())


def log_model(loggers: Iterable[Logger], version: str, folder: Path, *, best: bool) -> None:
    """Upload a version to W&B as an artifact; the bucket stays the source of truth.

    Its name becomes an alias beside `latest`; with `best` it also takes that alias from the version that had it.
    """
    aliases = ["latest", version, *(["best"] if best else [])]
    for run in _wandb_runs(loggers):
        artifact = wandb.Artifact("animals", type="model", metadata={"version": version})
        artifact.add_dir(str(folder))
        run.log_artifact(artifact, aliases=aliases)


def _finish(loggers: Iterable[Logger], *, exit_code: int) -> None:
    """Finish the run in W&B, so that the next run of the same process is a new one."""
    for run in _wandb_runs(loggers):
        run.finish(exit_code=exit_code)
