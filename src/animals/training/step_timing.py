"""Time and profile some steps of the real training loop."""

import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch.profiler import ProfilerActivity, profile, schedule

from animals.config.training import TrainConfig
from animals.data.load import load_data_set
from animals.data.statistics import standardize
from animals.errors import Interrupted
from animals.training.hardware import choose_device
from animals.training.model import check_names, input_spec
from animals.training.module import build_module
from animals.training.trainer import fit

EPOCHS: Final = 10_000
"""More than any measurement needs: its callbacks end the training."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Duration of some steps together."""

    steps: int
    seconds: float
    waiting: float
    """Seconds of these between the end of a step and the start of the next, in which the batch is fetched."""


@dataclass(frozen=True, slots=True)
class Operator:
    """Time of one operator of torch in some steps, without the operators that it calls."""

    name: str
    calls: int
    cpu: float
    """Seconds."""
    gpu: float
    """Seconds; 0 without a GPU."""


def run_steps(config: TrainConfig, *callbacks: Callback) -> None:
    """Train as a run does, on one device, until a callback ends it; the run's files are deleted.

    Raises:
        AnimalsError: whatever prevents a training.
    """
    check_names(config.model, config.optimizer)
    choose_device(config.trainer.accelerator)
    data_set = load_data_set(config.data, input_spec(config.model, config.data))
    data_set = standardize(data_set, config.data, config.model)
    config = replace(config, trainer=replace(config.trainer, epochs=EPOCHS, patience=0, devices=1, nodes=1))
    module = build_module(config, data_set)
    with tempfile.TemporaryDirectory() as run:
        try:
            fit(module, data_set, Path(run), config.trainer, seed=config.seed, callbacks=callbacks)
        except Interrupted as error:  # its own message is about resuming a run
            raise Interrupted("Interrupted; nothing was written.") from error


def synchronize() -> None:
    """Wait until the GPU has finished: it runs asynchronously to Python."""
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()


class StepClock(Callback):
    """Timer of steps, each from the end of the step before or the start of the epoch.

    Args:
        warmup: number of steps before the measurement.
        steps: number of steps to measure; fewer if the training ends before.
        stop: whether to end the training after them.
    """

    def __init__(self, *, warmup: int, steps: int, stop: bool = True) -> None:
        self._warmup = warmup
        self._last = warmup + steps
        self._stop = stop
        self._waits: list[float] = []
        self._seconds: list[float] = []
        self._ended = self._began = 0.0

    @property
    def done(self) -> bool:
        """Whether all steps are measured."""
        return len(self._seconds) >= self._last

    @property
    def timing(self) -> Timing:
        """The measured steps."""
        waits, seconds = self._waits[self._warmup :], self._seconds[self._warmup :]
        return Timing(len(seconds), sum(seconds), sum(waits))

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Limit validation, which is not timed, to the one batch that the epoch's checkpoint needs."""
        trainer.limit_val_batches = 1

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock anew, to leave out the time between epochs."""
        synchronize()
        self._ended = time.perf_counter()

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *step: Any) -> None:
        """Note that the batch has been fetched."""
        self._began = time.perf_counter()

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *step: Any) -> None:
        """Note the step; wait for the GPU only where the measurement starts and stops, so as not to slow it down."""
        if self.done:
            return
        if trainer.is_last_batch or len(self._seconds) + 1 in (self._warmup, self._last):
            synchronize()
        now = time.perf_counter()
        self._waits.append(self._began - self._ended)
        self._seconds.append(now - self._ended)
        self._ended = now
        if self.done and self._stop:
            trainer.should_stop = True


class StepProfiler(Callback):
    """PyTorch's profiler on some steps after those of a clock; it writes a trace and ends the training.

    The clock comes before it in the order of callbacks. Its first step warms the profiler up, and does not count.
    """

    def __init__(self, clock: StepClock, *, steps: int, trace: Path) -> None:
        self.operators: list[Operator] = []
        self._clock = clock
        self._left = steps + 1
        self._trace = trace
        activities = {ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if torch.cuda.is_available() else [])}
        self._profile = profile(activities=activities, schedule=schedule(wait=0, warmup=1, active=steps, repeat=1))
        self._started = False

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *step: Any) -> None:
        """Start after the clock, stop after the last step."""
        if not self._clock.done or trainer.should_stop:
            return
        if not self._started:
            self._profile.start()
            self._started = True
            return
        self._left -= 1
        if self._left == 0:
            synchronize()  # before the trace is closed
        self._profile.step()
        if self._left == 0:
            self._profile.stop()
            self._write()
            trainer.should_stop = True

    def _write(self) -> None:
        self._profile.export_chrome_trace(str(self._trace))
        self.operators = [
            Operator(event.key, event.count, event.self_cpu_time_total / 1e6, event.self_device_time_total / 1e6)
            for event in self._profile.key_averages()
            if not event.key.startswith("ProfilerStep")  # the steps themselves
        ]
