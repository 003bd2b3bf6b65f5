"""The schema and the named choices of a training's configuration, for Hydra."""

from hydra.core.config_store import ConfigStore

from animals.animals10 import ANIMALS10_FOLDERS, IMAGENET_CLASSES
from animals.config.data import DataConfig
from animals.config.training import TrainConfig, TrainerConfig


def register_schema() -> None:
    """Register the schema and the named choices with Hydra; may be called more than once."""
    store = ConfigStore.instance()
    store.store(name="schema", node=TrainConfig)
    animals10 = dict(ANIMALS10_FOLDERS)
    sample = DataConfig(
        title="Animals sample (drawings)",
        about="docs/data/sample.md",
        root="data/sample",
        sample=True,
        folders=animals10,
        imagenet=dict(IMAGENET_CLASSES),
    )
    photographs = DataConfig(
        title="Animals-10",
        about="docs/data/animals10.md",
        root="data/raw/raw-img",
        folders=animals10,
        imagenet=dict(IMAGENET_CLASSES),
    )
    store.store(group="data", name="sample", node=sample)
    store.store(group="data", name="animals10", node=photographs)
    store.store(group="data", name="folder", node=DataConfig())
    store.store(group="data", name="shards", node=DataConfig(shards=True))
    store.store(group="trainer", name="default", node=TrainerConfig())
    store.store(group="trainer", name="ddp", node=TrainerConfig(devices=0, sync_batchnorm=True))
