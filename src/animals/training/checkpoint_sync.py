"""A copy of the run's folder in a bucket, so that another machine can resume the run.

Vertex AI names the bucket's folder in AIP_CHECKPOINT_DIR, and restarts an interrupted job on an empty disk. The runs
are downloaded first, so `trainer.resume=auto` finds them as if they had been made on this machine.
"""

import logging
import os
from pathlib import Path
from typing import Any, Final

import pytorch_lightning as pl
from filelock import FileLock
from pytorch_lightning.callbacks import Checkpoint

from animals.errors import StorageError
from animals.files import atomic_write
from animals.storage import Storage, open_storage
from animals.storage.protocol import is_name
from animals.training.callbacks import METRICS
from animals.training.distributed import is_first_process
from animals.training.runs import BEST, CONFIG, LAST, MANIFEST, RUNS

log = logging.getLogger(__name__)

VARIABLE: Final = "AIP_CHECKPOINT_DIR"

NEEDED: Final = (Path(CONFIG), Path(MANIFEST), METRICS, BEST, LAST)
"""Files that a run is resumed from. The last checkpoint is uploaded last: it means that the others are complete."""

NOT_UPLOADED: Final = ("checkpoints", "version")
"""Folders of a finished run that are not uploaded: no longer needed, and published."""


def open_checkpoint_storage() -> Storage | None:
    """Return the storage that AIP_CHECKPOINT_DIR names; None where it is not set.

    Raises:
        ConfigError: the variable holds no URL of a bucket.
    """
    url = os.environ.get(VARIABLE)
    return open_storage(url.rstrip("/")) if url else None


def download_runs(storage: Storage) -> None:
    """Download what is needed to resume the runs of an earlier machine, unless it is on this disk.

    Every process does so: the first one's folder of runs may be on another machine.

    Raises:
        StorageUnavailable: the bucket cannot be reached.
    """
    RUNS.mkdir(parents=True, exist_ok=True)
    needed = {path.as_posix() for path in NEEDED}
    with FileLock(RUNS / ".checkpoint_sync.lock"):
        for name, size in storage.sizes():
            path = RUNS / name
            if name.partition("/")[2] not in needed or (path.is_file() and path.stat().st_size == size):
                continue
            log.info("Downloading %s of an earlier machine", name)
            with atomic_write(path) as temporary:
                temporary.write_bytes(storage.read(name).data)


class CheckpointUploader(Checkpoint):
    """Upload of what is needed to resume the run, after each checkpoint.

    It is a `Checkpoint` so that Lightning calls it after the callback that saves. If the bucket cannot be reached,
    it logs a warning and tries again after the next checkpoint.
    """

    def __init__(self, storage: Storage, run: Path) -> None:
        self._storage = storage
        self._run = run
        self._uploaded: dict[Path, int] = {}  # file -> its time of change in nanoseconds

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *step: Any) -> None:
        """Upload, if a checkpoint was saved within the epoch."""
        self._upload()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Upload the checkpoint of the epoch."""
        self._upload()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Upload the checkpoint that a signal led to."""
        self._upload()

    def _upload(self) -> None:
        times = {file: (self._run / file).stat().st_mtime_ns for file in NEEDED if (self._run / file).is_file()}
        changed = {file: time for file, time in times.items() if time != self._uploaded.get(file)}
        if LAST not in changed or not is_first_process():
            return
        for file, time in changed.items():
            if not _try_upload(self._storage, self._run, file):
                return
            self._uploaded[file] = time


def upload_remaining(storage: Storage, run: Path) -> None:
    """Upload a finished run's other files: its log, figures, metrics, and offline records of W&B."""
    files = (path.relative_to(run) for path in sorted(run.rglob("*")) if path.is_file() and not path.is_symlink())
    for file in files:
        if file.parts[0] in NOT_UPLOADED or not is_name(file.as_posix()):
            continue
        if not _try_upload(storage, run, file):
            return


def _try_upload(storage: Storage, run: Path, file: Path) -> bool:
    try:
        storage.write(f"{run.name}/{file.as_posix()}", (run / file).read_bytes())
    except StorageError as error:
        log.warning("%s of the run could not be uploaded to %s: %s", file, storage.url, error)
        return False
    return True
