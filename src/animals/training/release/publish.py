"""Publish a run's version to the bucket; it may be repeated until it succeeds.

`animals publish RUN` repeats it for a run whose bucket could not be reached.
"""

import logging
from pathlib import Path

from pydantic import ValidationError

from animals import registry
from animals.errors import BrokenModel, NoModel, UsageError
from animals.records import Card
from animals.storage import Storage

log = logging.getLogger(__name__)


def check_bucket(storage: Storage) -> None:
    """Raise now, not after the last epoch, if the bucket cannot be reached.

    Raises:
        StorageUnavailable: the bucket cannot be reached.
    """
    try:
        registry.read_current(storage)
    except NoModel:
        log.info("%s has no published model yet", storage.url)


def read_run(run: Path) -> Card:
    """Return the card of a finished run.

    Raises:
        UsageError: the folder holds no finished run.
    """
    path = run / "version" / registry.CARD
    try:
        return Card.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise UsageError(f"{run} holds no finished run: {path} is missing. Expected a folder under runs/.") from error
    except ValidationError as error:
        raise UsageError(f"{path} cannot be read by this version of animals: {error}") from error


def publish(run: Path, storage: Storage, *, promote: bool) -> Card:
    """Write a finished run's version to the bucket, and with `promote` let it serve.

    Raises:
        UsageError: the folder holds no finished run.
        StorageUnavailable: the bucket cannot be reached; the run stays as it is.
    """
    card = read_run(run)
    folder = run / "version"
    files = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name != registry.CARD}
    registry.write_version(storage, card, files)
    if promote:
        registry.promote(storage, card.version, reason=f"published by run {run.name}")
    return card


def is_best(card: Card, storage: Storage) -> bool:
    """Return whether no version serves that was more accurate on the same pictures.

    Raises:
        StorageUnavailable: the bucket cannot be reached.
    """
    try:
        serving = registry.read_card(storage, registry.read_current(storage).version)
    except (NoModel, BrokenModel):
        return True
    return serving.split.test_sha256 != card.split.test_sha256 or card.metrics.accuracy >= serving.metrics.accuracy
