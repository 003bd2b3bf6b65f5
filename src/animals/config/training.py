"""The typed schema of a training run: every key that a YAML file or an override may set, with its default.

Hydra refuses a misspelt key and `__post_init__` an impossible value, both before any data is read.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from animals.config.data import DataConfig
from animals.config.settings import DEFAULT_BUCKET
from animals.config.validation import check_choice, check_positive, check_range
from animals.errors import ConfigError

CONF_DIR: Final = Path(__file__).parent / "conf"
"""Folder of the YAML files."""


@dataclass(kw_only=True, slots=True)
class ModelConfig:
    """Settings of the network."""

    name: str = "resnet18"
    """Any model of timm (`timm.list_models()`)."""
    pretrained: bool = False
    """Start from pretrained weights, by default those of ImageNet, downloaded once from the Hugging Face hub."""
    weights: str = ""
    """Where pretrained weights come from. Empty: the Python package that has them (tf_efficientnet_lite0), else the
    Hugging Face hub. `package` and `hub`: only there. Else a .safetensors or .pth file, a folder in timm's hub format,
    or a bucket URL of either."""
    drop_rate: float = 0.0
    """Dropout before the last layer."""

    def __post_init__(self) -> None:
        """Check the numbers; the name is checked against timm when the model is built."""
        check_range("model.drop_rate", self.drop_rate, 0.0, 0.9)
        if self.weights:
            self.pretrained = True


@dataclass(kw_only=True, slots=True)
class AugmentConfig:
    """Random changes of training pictures, drawn again for each picture in each epoch."""

    flip: float = 0.5
    """Probability of a mirror image."""
    rotate: float = 10.0
    """Largest rotation in either direction, in degrees."""
    zoom: float = 0.2
    """Largest change of scale in either direction: 0.2 is from 0.8 to 1.2."""
    shift: float = 0.1
    """Largest shift in either direction, as a fraction of the side."""
    color: float = 0.2
    """Largest change of brightness, contrast and saturation in either direction."""
    policy: str = "none"
    """`trivial`: add one random operation of torchvision's TrivialAugmentWide; `none`: only the above."""
    mixup: float = 0.0
    """Alpha of mixup, which blends pictures and their targets in pairs; 0: none."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_range("augment.flip", self.flip, 0, 1)
        check_range("augment.rotate", self.rotate, 0, 180)
        check_choice("augment.policy", self.policy, ("none", "trivial"))
        check_range("augment.mixup", self.mixup, 0, 10)
        for key, amount in (("zoom", self.zoom), ("shift", self.shift), ("color", self.color)):
            check_range(f"augment.{key}", amount, 0, 0.9)


@dataclass(kw_only=True, slots=True)
class OptimizerConfig:
    """Settings of the optimizer."""

    name: str = "adamw"
    """Any optimizer of timm (`timm.optim.list_optimizers()`)."""
    lr: float = 3e-3
    """Highest learning rate."""
    weight_decay: float = 0.05
    """Weight decay of weights; biases and norms have none."""

    def __post_init__(self) -> None:
        """Check the numbers; the name is checked against timm when the optimizer is built."""
        check_positive("optimizer.lr", self.lr)
        check_range("optimizer.weight_decay", self.weight_decay, 0)


@dataclass(kw_only=True, slots=True)
class SchedulerConfig:
    """The learning rate over the steps."""

    name: str = "cosine"
    """`cosine`: linear warm-up, then a cosine down to 0. `constant`: linear warm-up, then constant."""
    warmup: float = 0.3
    """Fraction of all steps used for the warm-up."""

    def __post_init__(self) -> None:
        """Check the choice and the number."""
        check_choice("scheduler.name", self.name, ("cosine", "constant"))
        check_range("scheduler.warmup", self.warmup, 0, 1)


@dataclass(kw_only=True, slots=True)
class TrainerConfig:
    """Length, batch size, precision and hardware of a run."""

    epochs: int = 14
    """Times that each training picture is seen."""
    batch_size: int = 64
    """Pictures in one step, on all devices together."""
    label_smoothing: float = 0.05
    """Fraction of each target that is spread over all labels."""
    gradient_clip: float = 0.0
    """Largest norm of the gradient; 0: no limit."""
    accumulate: int = 1
    """Batches whose gradients are accumulated for one step."""
    ema: float = 0.0
    """Decay of an exponential moving average of the weights, which are validated and saved; 0: off."""
    channels_last: bool = True
    """Use the memory format (picture, row, column, channel), which is faster for convolutions."""
    compile: bool = False
    """Compile the network with `torch.compile`: takes minutes at the start, makes steps on a GPU faster."""
    patience: int = 0
    """Epochs without a better validation loss after which training stops; 0: never."""
    precision: str = "auto"
    """`bf16` or `fp16` autocast, `fp32`, or `auto`: bf16 if the hardware supports it, else fp16 on a GPU."""
    accelerator: str = "auto"
    """`cpu`, `gpu`, `mps`, or `auto`: the best one available."""
    devices: int = 1
    """GPUs, or processes on a CPU, of each machine. 0: all GPUs."""
    nodes: int = 1
    """Machines."""
    sync_batchnorm: bool = False
    """Compute batch norm over all GPUs together instead of on each GPU."""
    workers: int = -1
    """Processes that load pictures if `data.cache` is off or pictures are streamed. -1: one for each CPU."""
    save_minutes: float = 10.0
    """Minutes between checkpoints within an epoch. 0: save only after each epoch."""
    minutes: float = 0.0
    """Time from the command to the published version; 0: no limit. The run then trains as long as it can, whatever
    `epochs` says."""
    resume: str = "never"
    """`auto`: resume the last unfinished run of the same configuration. A folder under runs/: resume that run."""

    def __post_init__(self) -> None:
        """Check the numbers and choices."""
        check_range("trainer.epochs", self.epochs, 1)
        check_range("trainer.batch_size", self.batch_size, 2)
        check_range("trainer.label_smoothing", self.label_smoothing, 0, 0.9)
        check_range("trainer.gradient_clip", self.gradient_clip, 0)
        check_range("trainer.accumulate", self.accumulate, 1)
        check_range("trainer.devices", self.devices, 0)
        check_range("trainer.nodes", self.nodes, 1)
        check_range("trainer.ema", self.ema, 0, 0.99999)
        check_range("trainer.patience", self.patience, 0)
        check_range("trainer.workers", self.workers, -1)
        check_range("trainer.save_minutes", self.save_minutes, 0)
        check_range("trainer.minutes", self.minutes, 0)
        check_choice("trainer.precision", self.precision, ("auto", "bf16", "fp16", "fp32"))
        check_choice("trainer.accelerator", self.accelerator, ("auto", "cpu", "gpu", "mps"))


@dataclass(kw_only=True, slots=True)
class TrackingConfig:
    """Weights & Biases."""

    mode: str = "auto"
    """`online`, `offline`, `disabled`, or `auto`: online with an API key, offline without."""
    project: str = "animals"
    """Project of W&B."""
    entity: str | None = None
    """Team or user of W&B; by default that of the API key."""
    group: str | None = None
    """Name of a group of runs."""

    def __post_init__(self) -> None:
        """Check the choice."""
        check_choice("tracking.mode", self.mode, ("auto", "online", "offline", "disabled"))


@dataclass(kw_only=True, slots=True)
class TrainConfig:
    """All settings of one run."""

    name: str = "run"
    """Part of the run's and the version's name."""
    seed: int = 0
    """Seed of the weights, the order of the pictures and their augmentation."""
    bucket: str = f"${{oc.env:ANIMALS_BUCKET,{DEFAULT_BUCKET}}}"
    """Bucket that the version is published to: a local folder or gs://name/prefix."""
    promote: bool = True
    """Serve the published version."""
    gate: bool = False
    """Promote only if `invoke promote` would: not if the version is worse than the one that serves."""
    license: str = ""
    """License of the published model, for its card, as on the Hugging Face hub: `mit`, `cc-by-4.0`. Empty: none."""
    method: str = "full"
    """`full`: train all weights. `transfer`: fit a head on the features of a frozen pretrained network, then tune the
    network's last stages as `tune` says."""
    tune: str = "auto"
    """With `method=transfer`: `never`, `always`, or `auto`: on a GPU, and in the time that `trainer.minutes` leaves. A
    tuned network is published only if it is significantly better on the validation pictures."""
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    scheduler: SchedulerConfig = field(default_factory=SchedulerConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)

    def __post_init__(self) -> None:
        """Check the name, the seed and the license; `DataConfig.check_sources` checks the folders."""
        if not self.name.replace("-", "").replace("_", "").isalnum():
            raise ConfigError(f'name is "{self.name}"; expected letters, digits, - and _ only.')
        check_choice("method", self.method, ("full", "transfer"))
        if self.method == "transfer" and not self.model.pretrained:
            raise ConfigError("method=transfer needs pretrained weights. Set model.pretrained=true, or method=full.")
        if self.method == "transfer" and self.data.shards:
            raise ConfigError("method=transfer cannot stream shards. Train on the folder, or with method=full.")
        if self.method == "transfer" and (self.trainer.devices != 1 or self.trainer.nodes != 1):
            raise ConfigError(
                "method=transfer uses one device. Set trainer.devices=1 and trainer.nodes=1, or method=full."
            )
        if self.trainer.minutes and (self.trainer.devices != 1 or self.trainer.nodes != 1):
            raise ConfigError(
                "trainer.minutes is for one device, since each process would follow its own clock. Set trainer.epochs."
            )
        check_choice("tune", self.tune, ("auto", "never", "always"))
        check_range("seed", self.seed, 0, 2**32 - 1)
        if not re.fullmatch(r"[a-z0-9.-]*", self.license):
            raise ConfigError(f'license is "{self.license}"; expected lower case, such as mit or cc-by-4.0.')
