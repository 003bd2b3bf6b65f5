"""Ctrl-C, SIGTERM and lost pictures end a run after the step in progress, with all that is needed to go on.

What ends it without a word, such as a power cut, costs no more than some minutes.
"""

import contextlib
import logging
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Final

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from animals.errors import Interrupted, PicturesUnavailable, StorageError
from animals.training.runs import LAST

log = logging.getLogger(__name__)

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

ASKED_EVERY: Final = 8
"""Steps after which several processes ask each other for signals, which makes them wait for one another."""


class SaveOnSignal(Callback):
    """Notes a signal, lets the step finish, saves `last.ckpt` and ends the run. From time to time it only saves.

    A preempted machine has some seconds; a step takes less than three, also on a CPU. A second signal ends at once.

    Args:
        run: the run's folder.
        minutes: after which it saves within an epoch; 0: never.
    """

    def __init__(self, run: Path, minutes: float = 0.0) -> None:
        self._run = run
        self._seconds = 60 * minutes
        self._saved = 0.0
        self._received = False
        self._before: dict[signal.Signals, Any] = {}

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Watch for signals as long as the block lasts, where Python allows it: in the main thread."""
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        try:
            yield
        finally:
            self._restore()
        if self._received:  # after the last step
            raise Interrupted(self._advice("after training"))

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _: FrameType | None) -> None:
        log.info("%s: saving after this step", signal.Signals(number).name)
        self._received = True
        self._restore()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take SIGTERM back: Lightning's own way with it ends a run as if it had been done."""
        self._saved = time.monotonic()
        if self._before and not self._received:
            signal.signal(signal.SIGTERM, self._note)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *step: Any) -> None:
        """Save if it is time, or save and end if a signal came to any of the processes."""
        batch_idx = step[-1]
        if trainer.world_size > 1 and batch_idx % ASKED_EVERY:
            return
        due = bool(self._seconds) and time.monotonic() - self._saved > self._seconds
        if not trainer.strategy.reduce_boolean_decision(self._received or due, all=False):
            return
        self._save(trainer)
        if trainer.strategy.reduce_boolean_decision(self._received, all=False):
            raise Interrupted(self._advice(f"in epoch {trainer.current_epoch + 1}"))

    def _save(self, trainer: pl.Trainer) -> None:
        trainer.save_checkpoint(self._run / LAST)
        self._saved = time.monotonic()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The run is saved now in any case."""
        self._saved = time.monotonic()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Pictures were not to be had, which is between two steps: keep the steps that were done.

        Several processes could only do so together, and not all of them are here.
        """
        if isinstance(exception, PicturesUnavailable | StorageError) and trainer.training and trainer.world_size == 1:
            self._save(trainer)

    def _advice(self, when: str) -> str:
        return (
            f"Interrupted {when}, nothing is lost. Go on with the same command and trainer.resume=auto, "
            f"or trainer.resume={self._run}"
        )
