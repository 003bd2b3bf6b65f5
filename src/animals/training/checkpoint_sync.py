"""A run's folder, kept in a bucket as well, so that a machine that takes the place of another goes on with it.

Vertex AI names the place in AIP_CHECKPOINT_DIR and starts a job that was interrupted anew, on an empty disk. With
`trainer.resume=auto` the run is then found here as if it had been on this machine.
"""

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytorch_lightning as pl
from filelock import FileLock
from pytorch_lightning.callbacks import Checkpoint

from animals.errors import StorageError
from animals.files import atomic_write
from animals.storage import Storage, open_storage
from animals.storage.protocol import is_name
from animals.training.distributed import is_first_process
from animals.training.epochs import METRICS
from animals.training.runs import BEST, CONFIG, LAST, MANIFEST, RUNS

log = logging.getLogger(__name__)

VARIABLE: Final = "AIP_CHECKPOINT_DIR"

NEEDED: Final = (Path(CONFIG), Path(MANIFEST), METRICS, BEST, LAST)
"""What it takes to go on. The last is written last: what goes with it is there by then."""

APART: Final = ("checkpoints", "version")
"""Folders of a run whose files are not kept at its end: they are done with, and published."""


def open_mirror() -> Storage | None:
    """Where runs are kept besides; None where nobody says so.

    Raises:
        ConfigError: the variable holds no URL of a bucket.
    """
    url = os.environ.get(VARIABLE)
    return open_storage(url.rstrip("/")) if url else None


def bring_runs(mirror: Storage) -> None:
    """Bring the runs that an earlier machine kept, unless they are here.

    Every process does so: on another machine they find no run of the first one's.

    Raises:
        StorageUnavailable: the bucket is away.
    """
    RUNS.mkdir(parents=True, exist_ok=True)
    wanted = {path.as_posix() for path in NEEDED}
    with FileLock(RUNS / ".mirror.lock"):
        for name, size in mirror.sizes():
            path = RUNS / name
            if name.partition("/")[2] not in wanted or (path.is_file() and path.stat().st_size == size):
                continue
            log.info("Bringing %s of an earlier machine", name)
            with atomic_write(path) as temporary:
                temporary.write_bytes(mirror.read(name).data)


class Mirror(Checkpoint):
    """Keeps what it takes to go on, each time that the run was saved.

    A `Checkpoint`, so that Lightning calls it after the one that saves. A bucket that is away is told and costs no
    more than the time since it was last there.

    Args:
        storage: where to.
        run: the run's folder.
    """

    def __init__(self, storage: Storage, run: Path) -> None:
        self._storage = storage
        self._run = run
        self._kept: dict[Path, int] = {}  # by file, when it was changed as it was kept

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *step: Any) -> None:
        """Within an epoch, if it was saved."""
        self._keep()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """After each epoch."""
        self._keep()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """A signal came, which is why it was saved."""
        self._keep()

    def _keep(self) -> None:
        changed = dict(self._changed())
        if LAST not in changed or not is_first_process():
            return
        for file, time in changed.items():
            if not _written(self._storage, self._run, file):
                return
            self._kept[file] = time

    def _changed(self) -> Iterator[tuple[Path, int]]:
        for file in NEEDED:
            path = self._run / file
            if path.is_file() and (time := path.stat().st_mtime_ns) != self._kept.get(file):
                yield file, time


def keep_rest(mirror: Storage, run: Path) -> None:
    """At the end, keep what else the run wrote: its log, figures, metrics, and what W&B noted offline."""
    files = (path.relative_to(run) for path in sorted(run.rglob("*")) if path.is_file() and not path.is_symlink())
    for file in files:
        if file.parts[0] in APART or not is_name(file.as_posix()):
            continue
        if not _written(mirror, run, file):
            return


def _written(mirror: Storage, run: Path, file: Path) -> bool:
    try:
        mirror.write(f"{run.name}/{file.as_posix()}", (run / file).read_bytes())
    except StorageError as error:
        log.warning("%s of the run is not kept in %s: %s", file, mirror.url, error)
        return False
    return True
