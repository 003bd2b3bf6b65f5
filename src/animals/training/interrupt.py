"""Ctrl-C and SIGTERM end a run after the step in progress, with all that is needed to go on."""

import contextlib
import logging
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Final

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from animals.errors import Interrupted
from animals.training.runs import LAST

log = logging.getLogger(__name__)

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


ASKED_EVERY: Final = 8
"""Steps after which several processes ask each other for signals, which makes them wait for one another."""


class SaveOnSignal(Callback):
    """Notes a signal, lets the step finish, saves `last.ckpt` and ends the run.

    A preempted machine has some seconds; a step takes less than three, also on a CPU. A second signal ends at once.
    """

    def __init__(self, run: Path) -> None:
        self._run = run
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
        if self._before and not self._received:
            signal.signal(signal.SIGTERM, self._note)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *step: Any) -> None:
        """Save and end, if a signal came to any of the processes."""
        batch_idx = step[-1]
        if trainer.world_size > 1 and batch_idx % ASKED_EVERY:
            return
        if trainer.strategy.reduce_boolean_decision(self._received, all=False):
            trainer.save_checkpoint(self._run / LAST)
            raise Interrupted(self._advice(f"in epoch {trainer.current_epoch + 1}"))

    def _advice(self, when: str) -> str:
        return (
            f"Interrupted {when}, nothing is lost. Go on with the same command and trainer.resume=auto, "
            f"or trainer.resume={self._run}"
        )
