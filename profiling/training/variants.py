"""Four ways to train the same network on the same pictures, timed by `bench.py`."""

import itertools
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer

from animals.config.data import DataConfig
from animals.config.training import TrackingConfig, TrainConfig, TrainerConfig
from animals.cpus import available_cpus
from animals.data.load import load_data_set
from animals.training.hardware import choose_device, choose_precision
from animals.training.model import build_model, input_spec

AUTOCAST: Final = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}

Step = Callable[[Tensor, Tensor], None]
"""Takes pictures of shape (pictures, 3, side, side) and targets of shape (pictures,)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """The settings of all variants."""

    root: Path
    side: int
    batch_size: int
    steps: int
    warmup: int
    cache_dir: str = "data/cache"

    @property
    def config(self) -> TrainConfig:
        """This trainer's defaults, for these pictures."""
        return TrainConfig(
            name="bench",
            data=DataConfig(root=str(self.root), side=self.side, resize="squash", cache_dir=self.cache_dir),
            trainer=TrainerConfig(batch_size=self.batch_size),
            tracking=TrackingConfig(mode="disabled"),
        )

    @property
    def device(self) -> torch.device:
        """The first GPU, or the CPU."""
        return choose_device("auto")

    @property
    def precision(self) -> str:
        """The precision that this trainer chooses on this machine."""
        return choose_precision("auto", self.device)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One run of a variant."""

    pictures_per_second: float
    waiting: float | None
    """Share of the time that the loop waits for data; None without a loader."""
    memory_mib: float | None
    """Peak of the main process; None on Windows."""
    worker_mib: float | None
    """Peak of the largest worker process, including memory shared with the main process; None without workers."""


def measure(name: str, setup: Setup) -> Measurement:
    """Time one variant, in a new process."""
    seconds, waiting = VARIANTS[name](setup)
    memory, workers = peak_mib()
    return Measurement(
        pictures_per_second=setup.steps * setup.batch_size / seconds,
        waiting=None if waiting is None else waiting / seconds,
        memory_mib=memory,
        worker_mib=workers if name == "timm" else None,  # torch starts other short-lived processes too
    )


def prepare(setup: Setup) -> dict[str, Any]:
    """Fill the cache, which is not measured, and return the hardware and number of pictures."""
    config = setup.config
    data_set = load_data_set(config.data, input_spec(config.model, config.data))
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {"gpu": gpu, "precision": setup.precision, "train_pictures": data_set.counts()["train"]}


def plain(setup: Setup) -> tuple[float, float]:
    """Train the plain way: Pillow and torchvision in the main process, fp32, Adam."""
    from torch.utils.data import DataLoader
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import Compose, Normalize, RandomHorizontalFlip, RandomResizedCrop, ToTensor

    spec = input_spec(setup.config.model, setup.config.data)
    steps = [RandomResizedCrop(setup.side), RandomHorizontalFlip(), ToTensor(), Normalize(spec.mean, spec.std)]
    pictures = ImageFolder(setup.root, Compose(steps))
    loader: Any = DataLoader(pictures, batch_size=setup.batch_size, shuffle=True, drop_last=True)
    model = build_model(setup.config.model, len(pictures.classes), setup.side).to(setup.device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    step = make_step(model, optimizer, setup.device, precision="fp32", layout=torch.contiguous_format)
    return timed(loader, step, setup)


def timm_loader(setup: Setup) -> tuple[float, float]:
    """Train with timm's loader, one worker per CPU and its usual augmentation, in a minimal loop."""
    from timm.data import create_loader
    from torchvision.datasets import ImageFolder

    pictures = ImageFolder(setup.root)
    loader = create_loader(
        pictures,
        input_size=(3, setup.side, setup.side),
        batch_size=setup.batch_size,
        is_training=True,
        num_workers=available_cpus(),
        device=setup.device,
        pin_memory=setup.device.type == "cuda",
    )
    return timed(loader, step_of_this_trainer(setup, len(pictures.classes)), setup)


def ours(setup: Setup) -> tuple[float, float]:
    """Train with all that `invoke train` runs, from the cache to the optimizer."""
    from animals.training.step_timing import StepClock, run_steps

    clock = StepClock(warmup=setup.warmup, steps=setup.steps)
    run_steps(setup.config, clock)
    return clock.timing.seconds, clock.timing.waiting


def ceiling(setup: Setup) -> tuple[float, None]:
    """Run only the network: forward, backward and optimizer on one batch in memory."""
    labels = sum(path.is_dir() for path in setup.root.iterdir())
    pictures = torch.randn(setup.batch_size, 3, setup.side, setup.side, device=setup.device)
    pictures = pictures.contiguous(memory_format=torch.channels_last)
    targets = torch.arange(setup.batch_size, device=setup.device) % labels
    seconds, _ = timed([(pictures, targets)], step_of_this_trainer(setup, labels), setup)
    return seconds, None


VARIANTS: Final[dict[str, Callable[[Setup], tuple[float, float | None]]]] = {
    "plain": plain,
    "timm": timm_loader,
    "ours": ours,
    "ceiling": ceiling,
}
"""Each returns the seconds of all measured steps, and how many of these it waited for data."""


def step_of_this_trainer(setup: Setup, labels: int) -> Step:
    """Return a step with this trainer's layout, precision and optimizer."""
    from animals.training.optimizer import make_optimizer

    config = setup.config
    model = build_model(config.model, labels, setup.side).to(setup.device)
    model.to(memory_format=torch.channels_last)
    optimizer = make_optimizer(model, config.optimizer)
    return make_step(model, optimizer, setup.device, precision=setup.precision, layout=torch.channels_last)


def make_step(
    model: nn.Module, optimizer: Optimizer, device: torch.device, *, precision: str, layout: torch.memory_format
) -> Step:
    """Return a minimal training step.

    Args:
        model: on the device, in the layout.
        optimizer: of its weights.
        device: pictures and targets are moved to it.
        precision: `bf16`, `fp16` or `fp32`.
        layout: of the pictures.
    """
    scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")

    def step(pictures: Tensor, targets: Tensor) -> None:
        pictures = pictures.to(device, memory_format=layout, non_blocking=True)
        optimizer.zero_grad()
        with torch.autocast(device.type, AUTOCAST[precision], enabled=precision != "fp32"):
            loss = functional.cross_entropy(model(pictures), targets.to(device, non_blocking=True))
        torch.autograd.backward(scaler.scale(loss))
        scaler.step(optimizer)
        scaler.update()

    return step


def timed(batches: Iterable[tuple[Tensor, Tensor]], step: Step, setup: Setup) -> tuple[float, float]:
    """Return the seconds of all measured steps, and how many of these were spent waiting for batches."""
    source = repeated(batches)
    started = waiting = 0.0
    for number in range(setup.warmup + setup.steps):
        if number == setup.warmup:
            synchronize()
            started, waiting = time.perf_counter(), 0.0
        before = time.perf_counter()
        batch = next(source)
        waiting += time.perf_counter() - before
        step(*batch)
    synchronize()
    return time.perf_counter() - started, waiting


def repeated(batches: Iterable[tuple[Tensor, Tensor]]) -> Iterator[tuple[Tensor, Tensor]]:
    """Return the batches of epoch after epoch, without end."""
    return itertools.chain.from_iterable(itertools.repeat(batches))


def synchronize() -> None:
    """Wait for the GPU.

    `animals.training.step_timing` has this too; importing it would load Lightning in every variant.
    """
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()


def peak_mib() -> tuple[float | None, float | None]:
    """Return the peak memory of this process, and of the largest of its processes that have ended."""
    if sys.platform == "win32":
        return None, None
    import resource

    unit = 2**20 if sys.platform == "darwin" else 2**10
    usage = (resource.getrusage(who).ru_maxrss / unit for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return next(usage), next(usage)
