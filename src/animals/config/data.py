"""Settings of the pictures of a training run: the part `data` of `TrainConfig`."""

from dataclasses import dataclass, field
from pathlib import Path

from animals.config.validation import check_choice, check_range
from animals.errors import ConfigError
from animals.storage import open_storage


@dataclass(kw_only=True, slots=True)
class DataConfig:
    """Where the pictures are, how they are split and how they are scaled to the model's size."""

    title: str = ""
    """Name of the data set on the model card. Empty: the name of its folder."""
    about: str = ""
    """Description of the pictures and their licences, for the model card: a URL or a file of the repository."""
    root: str = ""
    """Folder of label folders, or gs://name/prefix, which is copied into `cache_dir` first. With `shards` the URL of
    the shards."""
    shards: bool = False
    """Stream the training pictures from `root`, a folder or gs://name/prefix of shards that `invoke data --shards`
    wrote. The shards fix the split, so `folders`, `val`, `test`, `split_seed` and `duplicate_distance` have no
    effect."""
    streams: int = 16
    """Streams that read the shards, over all processes together; workers beyond this number idle. Each stream holds
    two shards and `window` pictures in memory."""
    window: int = 256
    """Pictures of each stream that are shuffled together."""
    sample: bool = False
    """Make the sample pictures in `root` if they are missing."""
    sample_per_label: int = 375
    """Sample pictures to make for each label."""
    extra: str = ""
    """Second folder of label folders, such as `invoke data --source feedback` makes, used for training only. Val and
    test do not change, so versions with and without it can be compared. May be a URL, as `root`;
    gs://name/prefix/feedback is the feedback in the bucket gs://name/prefix."""
    folders: dict[str, str] = field(default_factory=dict)
    """Folder name -> label. Empty: each folder's name is its label."""
    val: float = 0.1
    """Share of the pictures that choose the best epoch, the penalty of a head, and whether a tuned network is kept."""
    test: float = 0.1
    """Share of the pictures that measure the result, used once, at the end."""
    split_seed: int = 0
    """Seed of the split, apart from `seed`: runs with different seeds are measured on the same pictures."""
    duplicate_distance: int = 50
    """Bits of 256 in which the perceptual hashes of two pictures may differ to count as duplicates, which stay in one
    split. Use less for pictures that are alike by nature, such as a fixed camera's; over 60 joins different ones."""
    side: int = 224
    """Width and height of the model's input in pixels."""
    resize: str = "center"
    """`center`: scale the short side and cut the middle. `squash`: scale both sides and keep everything."""
    crop_pct: float = 1.0
    """Fraction of the short side that `center` keeps."""
    statistics: str = "auto"
    """Mean and standard deviation for normalization: the `model`'s own, those of the training pictures (`data`), or
    `auto`: the model's own if it is pretrained, else the data's."""
    cache: bool = True
    """Decode each picture once, into `cache_dir` (of shards, those of val and test). Off: decode in each epoch."""
    cache_dir: str = "data/cache"
    """Folder for decoded pictures of all data sets and sizes; may be deleted at any time."""
    balance: bool = False
    """Give all labels the same weight in the loss, however many pictures they have."""
    imagenet: dict[str, str] = field(default_factory=dict)
    """Label -> its classes of ImageNet, such as "101, 385-386". With `method=transfer` and weights that know these
    classes, the head starts from them and stays near them. Empty: the labels start from nothing."""
    external_test: str = ""
    """Folder of label folders from another source, which the finished version is also tested on. The card has the
    result; no decision depends on it."""
    workers: int = -1
    """Processes that decode pictures. -1: one for each CPU; 0: this process only."""
    unknowns: str = ""
    """Folder of pictures of none of the labels, to measure how well the rejection threshold detects such pictures.
    Empty: generated scenes, half of them with a drawn object; if such an object is one of your labels, set a folder."""

    def __post_init__(self) -> None:
        """Check everything that needs no data."""
        check_range("data.sample_per_label", self.sample_per_label, 1)
        check_range("data.streams", self.streams, 1, 1024)
        check_range("data.window", self.window, 1)
        check_range("data.side", self.side, 8, 4096)
        check_choice("data.resize", self.resize, ("center", "squash"))
        check_range("data.crop_pct", self.crop_pct, 0.1, 1.0)
        check_range("data.duplicate_distance", self.duplicate_distance, 0, 128)
        check_choice("data.statistics", self.statistics, ("auto", "model", "data"))
        check_range("data.workers", self.workers, -1)
        check_range("data.split_seed", self.split_seed, 0, 2**32 - 1)
        check_range("data.val", self.val, 0.01, 0.5)
        check_range("data.test", self.test, 0.01, 0.5)
        if len(set(self.folders.values())) == 1:
            raise ConfigError(f"data.folders names one label only ({self.folders}); a classifier needs two or more.")

    def check_sources(self) -> None:
        """Check that the folders exist and that URLs have the right form; read no data.

        Apart from the other checks, so that a run's configuration can be read on a machine without its pictures.

        Raises:
            ConfigError: a folder is missing, or a URL is not of the form gs://name/prefix.
        """
        if not self.root:
            raise ConfigError("data.root is empty. Set the folder of label folders: data.root=path/to/pictures")
        if self.shards:
            open_storage(self.root)
        elif not self.sample and not _may_hold_pictures(self.root):
            raise ConfigError(f"data.root={self.root} is no folder. Expected a folder with one folder for each label.")
        if self.extra and self.shards:
            raise ConfigError("data.extra cannot be used with shards. Leave it out, or name a folder as data.root.")
        if self.extra and not _may_hold_pictures(self.extra):
            raise ConfigError(f"data.extra={self.extra} is no folder. Expected one like data.root.")
        if self.external_test and not Path(self.external_test).is_dir():
            raise ConfigError(f"data.external_test={self.external_test} is no folder. Expected label folders.")
        if self.unknowns and not Path(self.unknowns).is_dir():
            raise ConfigError(f"data.unknowns={self.unknowns} is no folder. Expected pictures of none of the labels.")


def _may_hold_pictures(root: str) -> bool:
    """Return whether `root` is a folder or a bucket's URL; raise ConfigError for any other URL."""
    if "://" in root:
        open_storage(root)
        return True
    return Path(root).is_dir()
