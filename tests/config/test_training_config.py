"""The schema refuses what cannot be, before any data is read."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

import animals.config
from animals.config.compose import compose_train_config
from animals.config.hydra_errors import explain
from animals.config.schema import register_schema
from animals.config.training import TrainConfig
from animals.errors import ConfigError


def composed(*overrides: str) -> DictConfig:
    register_schema()
    with initialize_config_dir(str(Path(animals.config.__file__).parent / "conf"), version_base=None):
        return compose("train", list(overrides))


def configured(*overrides: str) -> TrainConfig:
    return compose_train_config(overrides)


def test_a_bare_run_trains_the_sample_at_64_pixels() -> None:
    config = configured()
    assert (config.name, config.data.sample, config.data.side, config.model.name) == ("sample", True, 64, "resnet18")


def test_animals10_starts_from_pretrained_weights_and_knows_the_italian_folders(tmp_path: Path) -> None:
    config = configured("experiment=animals10", f"data.root={tmp_path}")
    assert (config.method, config.model.name, config.model.pretrained) == ("transfer", "resnet18", True)
    assert (config.data.side, config.data.resize, config.data.crop_pct) == (224, "center", 0.95)
    assert config.data.folders["scoiattolo"] == "squirrel"
    assert len(config.data.folders) == 10


def test_the_folder_experiment_takes_any_folder_names_for_labels(tmp_path: Path) -> None:
    config = configured("experiment=folder", f"data.root={tmp_path}")
    assert config.data.folders == {}
    assert not config.data.sample
    assert (config.method, config.model.name, config.data.side) == ("transfer", "tf_efficientnet_lite0", 224)


def test_from_scratch_is_one_word_away(tmp_path: Path) -> None:
    config = configured("experiment=folder", "method=full", f"data.root={tmp_path}")
    assert (config.model.name, config.model.pretrained, config.data.side) == ("resnet18", False, 64)


def test_transfer_uses_one_device(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"method=transfer uses one device\. Set trainer\.devices=1"):
        configured("experiment=folder", "trainer=ddp", f"data.root={tmp_path}")


def test_overrides_win_over_the_experiment() -> None:
    config = configured("optimizer.lr=3e-4", "trainer.epochs=2", "data.side=96")
    assert (config.optimizer.lr, config.trainer.epochs, config.data.side) == (3e-4, 2, 96)


def test_the_bucket_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANIMALS_BUCKET", "gs://somewhere/else")
    assert configured().bucket == "gs://somewhere/else"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optimizer.lr=-1", "optimizer.lr is -1.0; expected more than 0."),
        ("trainer.epochs=0", "trainer.epochs is 0; expected at least 1."),
        ("data.streams=0", "data.streams is 0; expected from 1 to 1024."),
        ("trainer.minutes=-1", "trainer.minutes is -1.0; expected at least 0."),
        ("tune=maybe", 'tune is "maybe"; expected one of always, auto, never.'),
        ("trainer.save_minutes=-1", "trainer.save_minutes is -1.0; expected at least 0."),
        ("data.val=0.9", "data.val is 0.9; expected from 0.01 to 0.5."),
        (
            "trainer.precision=bf6",
            'trainer.precision is "bf6"; expected one of auto, bf16, fp16, fp32. Did you mean bf',
        ),
        ("scheduler.name=x", 'scheduler.name is "x"; expected one of constant, cosine.'),
        ("name=../up", 'name is "../up"; expected letters, digits, - and _ only.'),
        ("license=MIT", 'license is "MIT"; expected lower case, such as mit or cc-by-4.0.'),
        ("data=folder", "data.root is empty. Set the folder of label folders: data.root=path/to/pictures"),
        ("+data.folder=x", "The configuration has an unknown key: "),
    ],
)
def test_an_impossible_value_is_named(override: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        configured(*(["experiment=folder"] if override == "data=folder" else [override]))
    assert str(caught.value).startswith(message)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.root=.*gone is no folder\. Expected a folder with one"):
        configured("experiment=folder", f"data.root={tmp_path / 'gone'}")


def test_a_missing_folder_of_extra_pictures_or_unknowns_is_named(tmp_path: Path) -> None:
    for key in ("extra", "unknowns", "external_test"):
        with pytest.raises(ConfigError, match=rf"data\.{key}=gone is no folder\. Expected"):
            configured("experiment=folder", f"data.root={tmp_path}", f"data.{key}=gone")
    with pytest.raises(ConfigError, match="cannot be used with shards"):
        configured("experiment=shards", "data.root=gs://name/shards", f"data.extra={tmp_path}")


def test_shards_may_lie_in_a_bucket_but_not_behind_any_url() -> None:
    assert configured("experiment=shards", "data.root=gs://name/shards").data.shards
    with pytest.raises(ConfigError, match=r"s3://name/shards. is neither a local folder"):
        configured("experiment=shards", "data.root=s3://name/shards")


def test_a_single_label_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="names one label only"):
        configured("experiment=folder", f"data.root={tmp_path}", "+data.folders={a: cat, b: cat}")


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("optimizer.lrr=3", "There is no setting optimizer.lrr. Did you mean lr?"),
        ("seeds=3", "There is no setting seeds. Did you mean seed?"),
        ("model.zzz=3", "There is no setting model.zzz. Known settings: name, pretrained, weights, drop_rate."),
        ("data.folders.mus=mouse", "There is no setting data.folders.mus. To add an entry, put a + before it: +data."),
        ("optimizer.lr=abc", "optimizer.lr: Value 'abc' of type 'str' could not be converted to Float."),
        ("experiment=foo", "In 'train': Could not find 'experiment/foo' Available options in 'experiment': animals10"),
        ("optimizer.lr", "Error parsing override 'optimizer.lr' missing EQUAL at '<EOF>'"),
    ],
)
def test_hydras_errors_become_one_sentence(override: str, sentence: str) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever Hydra raises
        composed(override)
    explained = explain(caught.value)
    assert explained.startswith(sentence)
    assert "\n" not in explained
