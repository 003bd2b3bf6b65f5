"""A run's folder under `runs/`: create it, and find it again to resume the run.

```
runs/<time>-<name>/
    config.yaml run.log         configuration and log
    manifest.csv                which picture is in which split
    metrics/ figures/ wandb/    results of each epoch and of the test
    checkpoints/                best.ckpt and last.ckpt
    version/                    what is published; complete once it holds card.json
```
"""

import errno
import itertools
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from filelock import FileLock, Timeout
from omegaconf import OmegaConf

from animals.config.training import TrainConfig
from animals.data.dataset import DataSet
from animals.data.split import read_manifest, write_manifest
from animals.errors import ConfigError, DataError, StorageError, StorageUnavailable
from animals.registry import CARD
from animals.training.distributed import is_first_process

log = logging.getLogger(__name__)

RUNS: Final = Path("runs")
CONFIG: Final = "config.yaml"
MANIFEST: Final = "manifest.csv"
_VARIABLE: Final = "ANIMALS_RUN"  # passes the folder to the processes that Lightning starts for further devices
LAST: Final = Path("checkpoints", "last.ckpt")
BEST: Final = Path("checkpoints", "best.ckpt")
_LOCK: Final = ".lock"
_OWNER: Final = ".process"

# Settings that may differ between an interrupted run and its continuation: they do not change the weights.
_MAY_DIFFER: Final = (
    "bucket",
    "promote",
    "gate",
    "license",
    "data.external_test",
    "data.unknowns",
    "data.title",
    "data.about",
    "tracking",
    "trainer.resume",
    "trainer.save_minutes",
    "trainer.workers",
    "data.workers",
)


def open_run(config: TrainConfig) -> Path:
    """Return the folder of the run: the one that `trainer.resume` names, or a new one.

    Raises:
        ConfigError: the run to resume is finished, has no checkpoint, or has another configuration.
    """
    if is_first_process():
        run = _find_run(config) or _create_run(config)
        os.environ[_VARIABLE] = str(run)
        return run
    # the other processes write nothing; they only need the checkpoint
    if run_of_first := os.environ.get(_VARIABLE):
        return Path(run_of_first)
    return _find_run(config) or RUNS / "none"


def _find_run(config: TrainConfig) -> Path | None:
    """Return the run to resume; None to start a new one."""
    resume = config.trainer.resume
    if resume == "never":
        return None
    if resume != "auto":
        return _check_run(Path(resume), config)
    run = _last_unfinished(config)
    if not run:
        log.info("No unfinished run of this configuration in %s; starting a new one", RUNS)
    return run


def _create_run(config: TrainConfig) -> Path:
    name = f"{datetime.now().astimezone():%Y%m%d-%H%M%S}-{config.name}"
    for number in itertools.count(1):  # several may start in the same second
        run = RUNS / (name if number == 1 else f"{name}-{number}")
        with suppress(FileExistsError):
            run.mkdir(parents=True)
            break
    OmegaConf.save(OmegaConf.structured(config), run / CONFIG)
    return run


def _check_run(run: Path, config: TrainConfig) -> Path:
    if not (run / LAST).is_file():
        raise ConfigError(f"trainer.resume={run}: {run / LAST} does not exist. Expected a folder under runs/.")
    if (run / "version" / CARD).is_file():
        raise ConfigError(f"trainer.resume={run}: that run is finished. Publish it again with: invoke publish {run}")
    if different := _differences(run, config):
        raise ConfigError(
            f"trainer.resume={run}: that run has other values of {', '.join(different)}. Use its values, which are in "
            f"{run / CONFIG}, or start a new run."
        )
    return run


def _last_unfinished(config: TrainConfig) -> Path | None:
    for path in sorted(RUNS.glob(f"*/{LAST.as_posix()}"), reverse=True):
        run = path.parent.parent
        if not (run / "version" / CARD).is_file() and not _differences(run, config):
            return run
    return None


def _differences(run: Path, config: TrainConfig) -> list[str]:
    """Return the settings of which a run has another value, as dotted keys."""
    if not (run / CONFIG).is_file():
        return [CONFIG]
    saved = OmegaConf.to_container(OmegaConf.load(run / CONFIG))
    old, new = dict(_flatten(saved)), dict(_flatten(asdict(config)))
    return sorted(key for key in old | new if old.get(key) != new.get(key) and not key.startswith(_MAY_DIFFER))


def _flatten(settings: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


@contextmanager
def lock_run(run: Path) -> Iterator[None]:
    """Keep other processes from resuming a run within the block.

    Raises:
        ConfigError: another process runs it; the message names the process.
    """
    if not is_first_process():
        yield
        return
    run.mkdir(parents=True, exist_ok=True)
    lock = FileLock(run / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        owner = (run / _OWNER).read_text(encoding="utf-8") if (run / _OWNER).is_file() else "another process"
        raise ConfigError(f"{run} is still being trained by {owner}. Wait until it ends, or stop it first.") from error
    try:
        (run / _OWNER).write_text(f"process {os.getpid()} on {socket.gethostname()}", encoding="utf-8")
        yield
    finally:
        lock.release()


def without_new_pictures(run: Path, data_set: DataSet) -> DataSet:
    """Leave out pictures of `data.extra` that were added since a run began that is resumed now.

    These are only trained on, and their names lead out of the data set's folder.
    """
    path = run / MANIFEST
    if not path.exists():
        return data_set
    known = {row.name for row in read_manifest(path)}
    keep = [
        row.name in known or row.split != "train" or not (row.name.startswith("../") or Path(row.name).is_absolute())
        for row in data_set.manifest
    ]
    if new := keep.count(False):
        log.info("%d pictures that were added since the run began are left out", new)
    rows = np.flatnonzero(keep)
    manifest = [data_set.manifest[row] for row in rows]
    return replace(data_set, manifest=manifest, pixel_rows=data_set.pixel_rows[rows], sizes=data_set.sizes[rows])


def record_split(run: Path, data_set: DataSet) -> None:
    """Write which picture is in which split; a resumed run must have the same pictures in the same splits.

    Raises:
        DataError: the run began with other pictures.
    """
    path = run / MANIFEST
    if path.exists() and read_manifest(path) != data_set.run_manifest:
        raise DataError(f"The pictures in {data_set.root} changed since {run} began with them. Start a new run.")
    write_manifest(path, data_set.run_manifest)


@contextmanager
def log_to_file(run: Path) -> Iterator[None]:
    """Write the first process's log to `run.log` too, within the block."""
    if not is_first_process():
        yield
        return
    run.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(run / "run.log", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(handler)
    try:
        yield
    except Exception as error:
        log.debug("The run failed", exc_info=error)
        raise
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()


@contextmanager
def explain_full_disk(run: Path) -> Iterator[None]:
    """Say how to resume when the disk is full."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        way = (
            f"The checkpoint of the last whole epoch is in {run}: free some space and resume with the same command and "
            "trainer.resume=auto"
            if (run / LAST).is_file()
            else "Free some space and repeat the command."
        )
        raise StorageUnavailable(f"The disk is full. {way}") from error


@contextmanager
def explain_unpublished(run: Path) -> Iterator[None]:
    """Say how to publish the run when the bucket cannot be reached after training."""
    try:
        yield
    except StorageError as error:
        raise type(error)(
            f"{error}\nNothing is lost: the run stays in {run}. Publish it with: invoke publish {run}"
        ) from error
