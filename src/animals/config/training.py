"""The typed schema of a training run.

Every key that a YAML file or an override may set stands here, with its default and what it means. A misspelt key is
refused by Hydra, an impossible value by `__post_init__`, both before any data is read.
"""

import difflib
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hydra.core.config_store import ConfigStore

from animals.animals10 import ANIMALS10_FOLDERS
from animals.config.settings import DEFAULT_BUCKET
from animals.errors import ConfigError
from animals.storage import open_storage

CONF_DIR: Final = Path(__file__).parent / "conf"
"""Folder of the YAML files."""


def _one_of(key: str, value: str, choices: Collection[str]) -> None:
    if value not in choices:
        close = difflib.get_close_matches(value, choices, n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise ConfigError(f'{key} is "{value}"; expected one of {", ".join(sorted(choices))}.{hint}')


def _between(key: str, value: float, low: float, high: float = float("inf")) -> None:
    if not low <= value <= high:
        bounds = f"at least {low}" if high == float("inf") else f"from {low} to {high}"
        raise ConfigError(f"{key} is {value}; expected {bounds}.")


def _positive(key: str, value: float) -> None:
    if not value > 0:
        raise ConfigError(f"{key} is {value}; expected more than 0.")


@dataclass(kw_only=True, slots=True)
class DataConfig:
    """Which pictures, how they are split and how they are brought to the model's size."""

    title: str = ""
    """What the pictures are called on the model's card. Empty: as their folder."""
    about: str = ""
    """Where they and their licences are described, for the model's card: a URL or a file of the repository."""
    root: str = ""
    """Folder of label folders, or gs://name/prefix, whose pictures are brought to `cache_dir` first; of shards their
    URL."""
    shards: bool = False
    """`root` is a folder or gs://name/prefix of shards that `invoke data --shards` wrote: training pictures are
    streamed from there. How they are split was decided then, so `folders`, `val`, `test`, `split_seed` and
    `duplicate_distance` have no effect."""
    streams: int = 16
    """Streams in which all processes together read the shards; workers, of which more would idle, share them. Each
    holds two shards and `window` pictures in memory."""
    window: int = 256
    """Pictures of each stream that are shuffled together."""
    sample: bool = False
    """Make the sample pictures in `root` if they are not there."""
    sample_per_label: int = 375
    """Sample pictures to make for each label."""
    extra: str = ""
    """Second folder of label folders, such as `invoke data --source feedback` makes, whose pictures are trained on too.
    Val and test stay as they are, so that versions with and without can be compared. A URL is brought first, as for
    `root`; gs://name/prefix/feedback is the feedback of the bucket gs://name/prefix."""
    folders: dict[str, str] = field(default_factory=dict)
    """Folder name -> label. Empty: each folder's name is its label."""
    val: float = 0.1
    """Share of the pictures that choose the best epoch."""
    test: float = 0.1
    """Share of the pictures that measure the result, seen once, at the end."""
    split_seed: int = 0
    """Apart from `seed`, so that runs with different seeds are measured on the same pictures."""
    duplicate_distance: int = 50
    """Bits of 256 in which two pictures' hashes may differ to count as the same picture, which stays in one split.
    Fewer for pictures that are alike by nature, such as a fixed camera's; more than 60 finds what is not the same."""
    side: int = 224
    """Width and height of the model's input in pixels."""
    resize: str = "center"
    """`center`: scale the short side and cut the middle. `squash`: scale both sides and keep everything."""
    crop_pct: float = 1.0
    """Part of the short side that `center` keeps."""
    statistics: str = "auto"
    """Mean and standard deviation that pixels are brought to: the `model`'s own, those of the training pictures
    (`data`), or `auto`: the model's own when it is pretrained, else the data's."""
    cache: bool = True
    """Decode each picture once, into `cache_dir`; of shards those of val and test. Off: decode again in each epoch."""
    cache_dir: str = "data/cache"
    """Where the decoded pictures of all data sets and sizes lie; may be deleted at any time."""
    workers: int = -1
    """Processes that decode pictures. -1: one for each CPU; 0: none but this one."""
    others: str = ""
    """Folder of pictures of none of the labels, on which it is measured how well such are told. Empty: generated
    scenes, half of them with a drawn thing; where such a thing is a label of yours, name a folder."""

    def __post_init__(self) -> None:
        """Check what can be checked without reading data."""
        _between("data.sample_per_label", self.sample_per_label, 1)
        _between("data.streams", self.streams, 1, 1024)
        _between("data.window", self.window, 1)
        _between("data.side", self.side, 8, 4096)
        _one_of("data.resize", self.resize, ("center", "squash"))
        _between("data.crop_pct", self.crop_pct, 0.1, 1.0)
        _between("data.duplicate_distance", self.duplicate_distance, 0, 128)
        _one_of("data.statistics", self.statistics, ("auto", "model", "data"))
        _between("data.workers", self.workers, -1)
        _between("data.split_seed", self.split_seed, 0, 2**32 - 1)
        for key, share in (("data.val", self.val), ("data.test", self.test)):
            _between(key, share, 0.01, 0.5)
        if len(set(self.folders.values())) == 1:
            raise ConfigError(f"data.folders names one label only ({self.folders}); a classifier needs two or more.")


@dataclass(kw_only=True, slots=True)
class ModelConfig:
    """Which network."""

    name: str = "resnet18"
    """Any model of timm (`timm.list_models()`)."""
    pretrained: bool = False
    """Start from weights trained on ImageNet, fetched from the Hugging Face hub once."""
    drop_rate: float = 0.0
    """Dropout before the last layer."""

    def __post_init__(self) -> None:
        """Check the numbers; the name is checked against timm when the model is built."""
        _between("model.drop_rate", self.drop_rate, 0.0, 0.9)


@dataclass(kw_only=True, slots=True)
class AugmentConfig:
    """How training pictures are varied, each drawn anew for each picture in each epoch."""

    flip: float = 0.5
    """Probability of a mirror image."""
    rotate: float = 10.0
    """Up to so many degrees either way."""
    zoom: float = 0.2
    """Scaled by up to so much either way: 0.2 is from 0.8 to 1.2."""
    shift: float = 0.1
    """Moved by up to so much of the side, either way."""
    color: float = 0.2
    """Brightness, contrast and saturation changed by up to so much either way."""
    policy: str = "none"
    """`trivial`: one random operation of torchvision's TrivialAugmentWide besides; `none`: only the above."""
    mixup: float = 0.0
    """Alpha of mixup, which blends pictures and their targets in pairs; 0: none."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        _between("augment.flip", self.flip, 0, 1)
        _between("augment.rotate", self.rotate, 0, 180)
        _one_of("augment.policy", self.policy, ("none", "trivial"))
        _between("augment.mixup", self.mixup, 0, 10)
        for key, amount in (("zoom", self.zoom), ("shift", self.shift), ("color", self.color)):
            _between(f"augment.{key}", amount, 0, 0.9)


@dataclass(kw_only=True, slots=True)
class OptimizerConfig:
    """What moves the weights."""

    name: str = "adamw"
    """Any optimizer of timm (`timm.optim.list_optimizers()`)."""
    lr: float = 3e-3
    """Highest learning rate."""
    weight_decay: float = 0.05
    """On weights, not on biases and norms."""

    def __post_init__(self) -> None:
        """Check the numbers; the name is checked against timm when the optimizer is built."""
        _positive("optimizer.lr", self.lr)
        _between("optimizer.weight_decay", self.weight_decay, 0)


@dataclass(kw_only=True, slots=True)
class SchedulerConfig:
    """How the learning rate changes, step by step."""

    name: str = "cosine"
    """`cosine`: warm up in a line, then fall to 0 along a cosine. `constant`: warm up, then stay."""
    warmup: float = 0.3
    """Share of all steps that warm up."""

    def __post_init__(self) -> None:
        """Check the choice and the number."""
        _one_of("scheduler.name", self.name, ("cosine", "constant"))
        _between("scheduler.warmup", self.warmup, 0, 1)


@dataclass(kw_only=True, slots=True)
class TrainerConfig:
    """How long, how much at once, on what."""

    epochs: int = 14
    """Times that each training picture is seen."""
    batch_size: int = 64
    """Pictures in one step, on all devices together."""
    label_smoothing: float = 0.05
    """Part of each target that is spread over all labels."""
    gradient_clip: float = 0.0
    """Largest norm of the gradient; 0: any."""
    accumulate: int = 1
    """Batches whose gradients are added up to one step."""
    ema: float = 0.0
    """Decay of an exponential moving average of the weights, which is what is validated and kept; 0: none."""
    channels_last: bool = True
    """Lay tensors out as (picture, row, column, channel) in memory, which convolutions are faster on."""
    compile: bool = False
    """Compile the network with `torch.compile`: minutes at the start, for faster steps on a GPU."""
    patience: int = 0
    """Stop after so many epochs without a better validation loss; 0: never."""
    precision: str = "auto"
    """`bf16` or `fp16` autocast, `fp32`, or `auto`: bf16 where the hardware computes in it, else fp16 on a GPU."""
    accelerator: str = "auto"
    """`cpu`, `gpu`, `mps`, or `auto`: the first that is there."""
    devices: int = 1
    """GPUs, or processes on a CPU, of each machine. 0: every GPU there is."""
    nodes: int = 1
    """Machines."""
    sync_batchnorm: bool = False
    """Normalize over the batch of all GPUs together rather than each GPU's part."""
    workers: int = -1
    """Processes that feed the model when `data.cache` is off or pictures are streamed. -1: one for each CPU."""
    save_minutes: float = 10.0
    """Minutes after which a run saves itself within an epoch, so that no more is lost. 0: only after each epoch."""
    resume: str = "never"
    """`auto`: go on with the last unfinished run of the same configuration. A folder under runs/: with that one."""

    def __post_init__(self) -> None:
        """Check the numbers and choices."""
        _between("trainer.epochs", self.epochs, 1)
        _between("trainer.batch_size", self.batch_size, 2)
        _between("trainer.label_smoothing", self.label_smoothing, 0, 0.9)
        _between("trainer.gradient_clip", self.gradient_clip, 0)
        _between("trainer.accumulate", self.accumulate, 1)
        _between("trainer.devices", self.devices, 0)
        _between("trainer.nodes", self.nodes, 1)
        _between("trainer.ema", self.ema, 0, 0.99999)
        _between("trainer.patience", self.patience, 0)
        _between("trainer.workers", self.workers, -1)
        _between("trainer.save_minutes", self.save_minutes, 0)
        _one_of("trainer.precision", self.precision, ("auto", "bf16", "fp16", "fp32"))
        _one_of("trainer.accelerator", self.accelerator, ("auto", "cpu", "gpu", "mps"))


@dataclass(kw_only=True, slots=True)
class TrackingConfig:
    """Weights & Biases."""

    mode: str = "auto"
    """`online`, `offline`, `disabled`, or `auto`: online with an API key, offline without."""
    project: str = "animals"
    """W&B's project."""
    entity: str | None = None
    """W&B's team or user; the key's own when empty."""
    group: str | None = None
    """Runs that belong together."""

    def __post_init__(self) -> None:
        """Check the choice."""
        _one_of("tracking.mode", self.mode, ("auto", "online", "offline", "disabled"))


def _is_place(root: str) -> bool:
    """Whether pictures may be there: a folder, or a URL that is one.

    Raises:
        ConfigError: it is a URL of another form.
    """
    if "://" in root:
        open_storage(root)
        return True
    return Path(root).is_dir()


@dataclass(kw_only=True, slots=True)
class TrainConfig:
    """One run: everything that decides what comes out."""

    name: str = "run"
    """Part of the run's and the version's name."""
    seed: int = 0
    """Of the weights, the order of the pictures and their augmentation."""
    bucket: str = f"${{oc.env:ANIMALS_BUCKET,{DEFAULT_BUCKET}}}"
    """Where the version is published: a local folder or gs://name/prefix."""
    promote: bool = True
    """Let the published version serve."""
    gate: bool = False
    """Not if it is worse than the one that serves, as `invoke promote` would refuse it."""
    license: str = ""
    """Of the published model, for its card, as the Hugging Face hub writes it: `mit`, `cc-by-4.0`. Empty: none."""
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    scheduler: SchedulerConfig = field(default_factory=SchedulerConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)

    def __post_init__(self) -> None:
        """Check what goes into names and generators, and that there is a folder to read."""
        if not self.name.replace("-", "").replace("_", "").isalnum():
            raise ConfigError(f'name is "{self.name}"; expected letters, digits, - and _ only.')
        _between("seed", self.seed, 0, 2**32 - 1)
        if not re.fullmatch(r"[a-z0-9.-]*", self.license):
            raise ConfigError(f'license is "{self.license}"; expected it in small letters, such as mit or cc-by-4.0.')
        if not self.data.root:
            raise ConfigError("data.root is empty. Give the folder of label folders: data.root=path/to/pictures")
        if self.data.shards:
            open_storage(self.data.root)  # says what is wrong with a URL, and reads nothing
        elif not self.data.sample and not _is_place(self.data.root):
            raise ConfigError(
                f"data.root={self.data.root} is no folder. Expected a folder that holds a folder of pictures a label."
            )
        if self.data.extra and self.data.shards:
            raise ConfigError("data.extra cannot be added to shards, whose training pictures are streamed alone.")
        if self.data.extra and not _is_place(self.data.extra):
            raise ConfigError(f"data.extra={self.data.extra} is no folder. Expected one like data.root.")
        if self.data.others and not Path(self.data.others).is_dir():
            raise ConfigError(f"data.others={self.data.others} is no folder. Expected pictures of none of the labels.")


def register_schema() -> None:
    """Make the schema and the named choices known to Hydra; may be called more than once."""
    store = ConfigStore.instance()
    store.store(name="schema", node=TrainConfig)
    animals10 = dict(ANIMALS10_FOLDERS)
    sample = DataConfig(
        title="Animals sample (drawings)",
        about="docs/data/sample.md",
        root="data/sample",
        sample=True,
        folders=animals10,
    )
    photographs = DataConfig(
        title="Animals-10", about="docs/data/animals10.md", root="data/raw/raw-img", folders=animals10
    )
    store.store(group="data", name="sample", node=sample)
    store.store(group="data", name="animals10", node=photographs)
    store.store(group="data", name="folder", node=DataConfig())
    store.store(group="data", name="shards", node=DataConfig(shards=True))
    store.store(group="trainer", name="default", node=TrainerConfig())
    store.store(group="trainer", name="ddp", node=TrainerConfig(devices=0, sync_batchnorm=True))
