"""`animals train [OVERRIDE]...`: one training run, configured by Hydra."""

import os
import sys
import time
from collections.abc import Sequence

import hydra
from hydra.errors import HydraException
from omegaconf import DictConfig

from animals import registry
from animals.config.hydra_errors import explain, to_train_config
from animals.config.schema import register_schema
from animals.config.training import CONF_DIR, TrainConfig
from animals.errors import AnimalsError, ConfigError
from animals.records import Card
from animals.storage import open_storage
from animals.training.release.announce import check_announce_settings, try_announce
from animals.training.runs import RUNS


def main(overrides: Sequence[str]) -> None:
    """Compose the configuration with Hydra's command line, and train.

    Args:
        overrides: Hydra's, and its own options, such as --cfg.

    Raises:
        ConfigError: an override is misspelt or impossible.
        AnimalsError: the training failed.
    """
    arguments = sys.argv
    errors: list[AnimalsError | KeyboardInterrupt] = []

    @hydra.main(version_base=None, config_path=str(CONF_DIR), config_name="train")
    def run(composed: DictConfig) -> None:
        sys.argv = arguments  # Lightning repeats them in the processes that it starts
        try:
            _train(to_train_config(composed))
        except (AnimalsError, KeyboardInterrupt) as error:  # Hydra would print a line of its own
            errors.append(error)

    # otherwise Hydra prints errors in its own way and exits with 1
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    register_schema()
    sys.argv = [arguments[0], *overrides]
    try:
        run()
    except HydraException as error:
        raise ConfigError(explain(error)) from error
    if errors:
        raise errors[0]


def _train(config: TrainConfig) -> None:
    started = time.monotonic()
    config.data.check_sources()
    from animals.training.pipeline import train  # only now: torch takes seconds to import

    check_announce_settings()
    if card := train(config, started=started):
        sys.stdout.write(summary(card, config) + try_announce(card.version, config.bucket))


def summary(card: Card, config: TrainConfig) -> str:
    """Return what a run prints at its end: accuracy, version, bucket, and the next commands."""
    metrics = card.metrics
    serves = config.promote and _serves(card.version, config.bucket)
    state = "serves from" if serves else "published, not promoted, in"
    return f"""
Accuracy  {metrics.accuracy:.1%} of {metrics.pictures} test pictures, macro F1 {metrics.f1_macro:.3f}
Version   {card.version}, {state} {config.bucket}
Run       {RUNS / card.run}
Next      uv run invoke serve
          curl -X POST -F "file=@picture.jpg" http://localhost:8000/classify/
"""


def _serves(version: str, bucket: str) -> bool:
    """Return whether the version serves: with `gate` it may have been refused."""
    return registry.read_current(open_storage(bucket)).version == version
