"""The real training loop on tiny pictures: the files of a run, their content, and the published version."""

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import timm
import torch
from PIL import Image

from animals import registry
from animals.data.dataset import DataSet
from animals.data.split import read_manifest
from animals.errors import ConfigError, StorageUnavailable
from animals.inference import probabilities
from animals.prediction_records import LoggedPrediction
from animals.preprocess import open_picture, preprocess, to_pixels
from animals.records import now
from animals.storage import open_storage
from animals.training import budget
from animals.training.callbacks import METRICS, read_metrics
from animals.training.evaluation.predictors import onnx_predictor_of_all
from animals.training.export.projection import DIMENSIONS
from animals.training.module import build_module
from animals.training.pipeline import train
from animals.training.release.publish import publish
from animals.training.runs import lock_run
from tests.support.records import row
from tests.training.conftest import Trained, published, tiny_config


def test_it_learns(trained: Trained) -> None:
    assert trained.card.metrics.accuracy > 0.6  # three labels: chance is 0.33
    assert trained.card.metrics.pictures == 6


def test_the_version_is_in_the_bucket_and_serves(trained: Trained) -> None:
    storage, version = open_storage(trained.config.bucket), trained.card.version
    files = {"model.safetensors", "config.json", "model.onnx", "card.json", "README.md", "reference.parquet"}
    files.add(trained.card.serving_file)  # model.int8.onnx, if it is good enough
    assert set(storage.names(f"models/{version}/")) == {f"models/{version}/{file}" for file in files}
    assert registry.read_card(storage, version) == trained.card
    for file in trained.card.files:
        registry.read_file(storage, trained.card, file)
    current = registry.read_current(storage)
    assert (current.version, current.reason) == (version, "published by run 20260101-000000-tiny")


def test_timm_loads_the_weights_with_the_labels(trained: Trained) -> None:
    model: Any = timm.create_model(f"local-dir:{trained.run / 'version'}", pretrained=True)
    assert model.pretrained_cfg["label_names"] == ["blue", "green", "red"]
    expected = timm.data.resolve_model_data_config(model)  # type: ignore[no-untyped-call]
    spec = trained.card.input
    assert (expected["input_size"], expected["crop_mode"]) == ((3, spec.side, spec.side), spec.resize)
    assert (*expected["mean"], *expected["std"], expected["crop_pct"]) == (*spec.mean, *spec.std, spec.crop_pct)


def test_the_model_that_serves_gives_the_probabilities_of_the_reference(trained: Trained, pictures: Path) -> None:
    reference = pd.read_parquet(trained.run / "version" / "reference.parquet")
    session = onnxruntime.InferenceSession(trained.run / "version" / trained.card.serving_file)
    inputs = np.stack([preprocess(open_picture(pictures / name), trained.card.input) for name in reference["picture"]])
    logits = session.run(["logits"], {"input": inputs})[0]
    expected = probabilities(logits, trained.card.temperature)
    np.testing.assert_allclose(reference[["p_blue", "p_green", "p_red"]], expected, atol=1e-4)


def test_the_reference_is_the_test_split_with_what_was_answered(trained: Trained) -> None:
    reference = pd.read_parquet(trained.run / "version" / "reference.parquet")
    test = [row for row in read_manifest(trained.run / "manifest.csv") if row.split == "test"]
    assert list(reference["picture"]) == [row.name for row in test]
    assert list(reference["target"]) == [row.label for row in test]
    quantized = trained.card.quantized
    served = quantized.accuracy if quantized and quantized.passed else trained.card.metrics.accuracy
    assert (reference["prediction"] == reference["target"]).mean() == served
    assert (reference["confidence"] == reference[["p_blue", "p_green", "p_red"]].max(axis=1)).all()
    assert {"brightness", "contrast", "sharpness"} <= set(reference.columns)


def test_the_reference_compares_with_the_prediction_log(trained: Trained, pictures: Path) -> None:
    reference = pd.read_parquet(trained.run / "version" / "reference.parquet")
    first = reference.iloc[0]
    with Image.open(pictures / first["picture"]) as image:
        assert (first["width"], first["height"]) == image.size
    pixels = np.stack([to_pixels(open_picture(pictures / first["picture"]), trained.card.input)])
    answer = onnx_predictor_of_all(trained.run / "version" / trained.card.serving_file, trained.card.input)
    logits, projections = answer(pixels)
    assert first["confidence"] == pytest.approx(probabilities(logits, trained.card.temperature).max(), abs=1e-4)
    found = [first[f"projection_{dimension}"] for dimension in range(DIMENSIONS)]
    np.testing.assert_allclose(found, projections[0], rtol=1e-4, atol=1e-5)
    entry = LoggedPrediction(
        **{**first[["prediction", "confidence", "brightness", "contrast", "sharpness", "width", "height"]]},
        probabilities={label: first[f"p_{label}"] for label in trained.card.labels},
        projection=tuple(found),
        **{"id": "a", "version": "r1", "time": now(), "milliseconds": 1.0},
    )
    assert set(row(entry)) - {"id", "version", "time", "milliseconds"} == set(reference.columns) - {
        "picture",
        "target",
    }


def test_the_card_has_split_configuration_and_packages(trained: Trained) -> None:
    card = trained.card
    assert card.version.startswith("20260101-000000-tiny-")
    assert card.split.counts == {"train": 48, "val": 6, "test": 6}
    assert card.config == dataclasses.asdict(trained.config)
    assert card.export.same_label == card.export.pictures == 6
    assert card.packages["torch"] == torch.__version__.split("+")[0]


def test_pixels_are_brought_to_the_training_pictures_own_statistics(trained: Trained) -> None:
    statistics = json.loads((trained.run / "statistics.json").read_text(encoding="utf-8"))
    assert statistics["statistics"] == "data"
    assert (statistics["mean"], statistics["std"]) == (list(trained.card.input.mean), list(trained.card.input.std))
    assert trained.card.input.mean != (0.5, 0.5, 0.5)  # timm's of this network


def test_the_card_for_people_says_how_good_it_is(trained: Trained) -> None:
    text = (trained.run / "version" / "README.md").read_text(encoding="utf-8")
    assert f"| Test accuracy | {trained.card.metrics.accuracy:.1%} of 6 pictures |" in text
    assert "| blue |" in text


def test_every_epoch_is_reported_and_checkpoints_and_figures_are_kept(trained: Trained) -> None:
    rows = read_metrics(trained.run / METRICS)
    assert [row["epoch"] for row in rows] == [0, 1, 2]
    assert all(row["train/loss"] > 0 for row in rows)
    assert trained.log.count("val accuracy") == 3
    assert "epoch  3/3  train loss" in trained.log
    assert {path.name for path in (trained.run / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    assert (trained.run / "figures" / "confusion_matrix.png").stat().st_size > 5000


def test_wandb_keeps_the_run_offline_and_says_how_to_send_it(trained: Trained) -> None:
    (folder,) = (trained.run / "wandb").glob("offline-run-*")
    assert (folder / f"run-{trained.run.name}.wandb").stat().st_size > 1000
    assert f"Upload it later with: wandb sync {folder}" in trained.log


def test_the_same_seed_gives_the_same_metrics_and_another_seed_others(pictures: Path, tmp_path: Path) -> None:
    first, again, other = (
        published(tiny_config(pictures, tmp_path, epochs=1, seed=seed), tmp_path / name)
        for name, seed in (("first", 5), ("again", 5), ("other", 6))
    )
    assert first.metrics == again.metrics
    assert first.files["model.safetensors"] == again.files["model.safetensors"]
    assert first.metrics != other.metrics


def test_without_the_cache_the_result_is_the_same(pictures: Path, tmp_path: Path) -> None:
    cached = tiny_config(pictures, tmp_path, epochs=1)
    decoded = tiny_config(pictures, tmp_path, epochs=1)
    decoded.data.cache = False
    decoded.trainer.workers = 0
    assert published(cached, tmp_path / "a").metrics == published(decoded, tmp_path / "b").metrics


def test_early_stopping_ends_a_run_that_no_longer_improves(pictures: Path, tmp_path: Path) -> None:
    config = tiny_config(pictures, tmp_path, epochs=30)
    config.trainer.patience = 1
    config.optimizer.lr = 1e-12  # nothing improves
    train(config, tmp_path / "run")
    assert len(read_metrics(tmp_path / "run" / METRICS)) < 10


def test_a_version_may_be_published_without_being_promoted(pictures: Path, tmp_path: Path) -> None:
    config = tiny_config(pictures, tmp_path, epochs=1)
    config.promote = False
    card = published(config, tmp_path / "run")
    assert registry.versions(open_storage(config.bucket)) == [card.version]
    assert not list(open_storage(config.bucket).names("models/current.json"))


def test_an_unreachable_bucket_is_found_before_training(pictures: Path, tmp_path: Path) -> None:
    config = tiny_config(pictures, tmp_path)
    (tmp_path / "bucket").write_text("a file in the bucket's place", encoding="utf-8")
    with pytest.raises(StorageUnavailable):
        train(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_bucket_lost_at_the_end_loses_no_training(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny_config(pictures, tmp_path, epochs=1)

    def lose(*_: object, **__: object) -> None:
        raise StorageUnavailable("The bucket went away.")

    with monkeypatch.context() as patched:
        patched.setattr(registry, "write_version", lose)
        with pytest.raises(StorageUnavailable, match=r"went away\.\nNothing is lost: .* invoke publish .*run"):
            train(config, tmp_path / "run")
    card = publish(tmp_path / "run", open_storage(config.bucket), promote=True)
    assert registry.read_current(open_storage(config.bucket)).version == card.version


@pytest.mark.parametrize(
    ("key", "name", "message"),
    [
        ("model", "resnet81", r'model\.name is "resnet81", which timm does not know\. Nearest: .*resnet18'),
        ("optimizer", "adamx", r'optimizer\.name is "adamx", which timm does not know\. Nearest: .*adam'),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(
    key: str, name: str, message: str, pictures: Path, tmp_path: Path
) -> None:
    config = tiny_config(pictures, tmp_path)
    getattr(config, key).name = name
    with pytest.raises(ConfigError, match=message):
        train(config, tmp_path / "run")


def test_accumulated_half_batches_take_half_the_steps(pictures: Path, tmp_path: Path) -> None:
    config = tiny_config(pictures, tmp_path, epochs=1)
    config.trainer.batch_size, config.trainer.accumulate = 4, 2
    train(config, tmp_path / "run")
    checkpoint = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    assert checkpoint["global_step"] == 6


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_mixup_clipping_and_the_average_of_weights_train_too(precision: str, pictures: Path, tmp_path: Path) -> None:
    config = tiny_config(pictures, tmp_path, epochs=2)
    config.trainer.precision = precision
    config.augment.mixup, config.trainer.gradient_clip, config.trainer.ema = 0.2, 1.0, 0.9
    assert np.isfinite(published(config, tmp_path / "run").metrics.loss)


def test_the_network_is_compiled_on_request(data_set: DataSet, pictures: Path, tmp_path: Path) -> None:
    config = tiny_config(pictures, tmp_path)
    config.trainer.compile = True
    module = build_module(config, data_set)
    assert module.model._compiled_call_impl is not None
    assert all("_orig_mod" not in name for name in module.state_dict())


def test_a_budget_ends_a_training_from_scratch(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "FINISH", 1.0)
    monkeypatch.setattr(budget, "EXTRA_PICTURES", 0)
    config = tiny_config(pictures, tmp_path, epochs=10_000)
    config = dataclasses.replace(config, trainer=dataclasses.replace(config.trainer, minutes=0.2))
    card = published(config, tmp_path / "run")
    rows = read_metrics(tmp_path / "run" / METRICS)
    assert 1 <= card.training.epochs == len(rows) < 10_000
    assert rows[-1]["lr"] < config.optimizer.lr
    with pytest.raises(ConfigError, match=r"trainer\.minutes=0\.01 is too short: evaluation and export alone"):
        train(
            dataclasses.replace(config, trainer=dataclasses.replace(config.trainer, minutes=0.01)), tmp_path / "short"
        )


def test_a_run_that_is_still_running_is_not_resumed(pictures: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with (
        lock_run(run),
        pytest.raises(
            ConfigError, match=rf"run is still being trained by process {os.getpid()} on .*Wait until it ends"
        ),
    ):
        train(tiny_config(pictures, tmp_path), run)
    with lock_run(run):
        pass
