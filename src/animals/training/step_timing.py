"""Some steps of the real loop, watched: for how long they take and what they spend it on."""

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
from animals.data.statistics import standardized
from animals.errors import Interrupted
from animals.training.hardware import choose_device
from animals.training.model import build_model, check_names, input_spec
from animals.training.trainer import fit

EPOCHS: Final = 10_000
"""More than anybody watches: what watches ends the training."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How long some steps took together."""

    steps: int
    seconds: float
    waiting: float
    """Seconds of these between the end of a step and the start of the next: fetching the batch, and next to
    nothing else."""


@dataclass(frozen=True, slots=True)
class Operator:
    """What one operator of torch took in some steps, without the operators that it called."""

    name: str
    calls: int
    cpu: float
    """Seconds."""
    gpu: float
    """Seconds; 0 without a GPU."""


def run_steps(config: TrainConfig, *watchers: Callback) -> None:
    """Train as a run does, on one device, until a watcher ends it; what the run writes is deleted.

    Raises:
        AnimalsError: whatever stands in the way of a training.
    """
    check_names(config.model, config.optimizer)
    choose_device(config.trainer.accelerator)
    data_set = standardized(load_data_set(config.data, input_spec(config.model, config.data)), config)
    pl.seed_everything(config.seed, verbose=False)
    model = build_model(config.model, len(data_set.labels), config.data.side)
    config = replace(config, trainer=replace(config.trainer, epochs=EPOCHS, patience=0, devices=1, nodes=1))
    with tempfile.TemporaryDirectory() as run:
        try:
            fit(model, data_set, config, Path(run), [], watchers)
        except Interrupted as error:  # its own message is about going on with a run
            raise Interrupted("Interrupted; nothing was written.") from error


def synchronize() -> None:
    """Wait until the GPU has done what it was given: it works on while Python goes ahead."""
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()


class StepClock(Callback):
    """Times each step, from the end of the step before or the start of the epoch.

    Args:
        warmup: steps that are not counted.
        steps: that are counted; fewer where the training ends before.
        stop: end the training then.
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
        """Whether all steps are over."""
        return len(self._seconds) >= self._last

    @property
    def timing(self) -> Timing:
        """What was measured."""
        waits, seconds = self._waits[self._warmup :], self._seconds[self._warmup :]
        return Timing(len(seconds), sum(seconds), sum(waits))

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Validation is not timed; one batch of it is what the checkpoints at an epoch's end need."""
        trainer.limit_val_batches = 1

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Leave out what was between the epochs."""
        synchronize()
        self._ended = time.perf_counter()

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *step: Any) -> None:
        """The batch is there."""
        self._began = time.perf_counter()

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *step: Any) -> None:
        """Note the step; wait for the GPU only where the clock starts and stops, so that it is not slowed down."""
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
    """Once a clock is done, has PyTorch's profiler watch some steps, keeps its trace and ends the training.

    Args:
        clock: stands before this in the order of callbacks.
        steps: that are watched, after one that warms the profiler up.
        trace: the file to write, in the form that https://ui.perfetto.dev opens.
    """

    def __init__(self, clock: StepClock, *, steps: int, trace: Path) -> None:
        self.operators: list[Operator] = []
        self._clock = clock
        self._left = steps + 1
        self._trace = trace
        kinds = {ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if torch.cuda.is_available() else [])}
        self._profile = profile(activities=kinds, schedule=schedule(wait=0, warmup=1, active=steps, repeat=1))
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
            self._keep()
            trainer.should_stop = True

    def _keep(self) -> None:
        self._profile.export_chrome_trace(str(self._trace))
        self.operators = [
            Operator(it.key, it.count, it.self_cpu_time_total / 1e6, it.self_device_time_total / 1e6)
            for it in self._profile.key_averages()
            if not it.key.startswith("ProfilerStep")  # the steps themselves
        ]
