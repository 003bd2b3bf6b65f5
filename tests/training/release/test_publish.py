"""`invoke publish` publishes a run whose bucket could not be reached."""

from pathlib import Path
from typing import Any

import pytest

from animals import registry
from animals.errors import UsageError
from animals.records import Card
from animals.storage import Storage, open_storage
from animals.training.release.publish import is_best, publish, read_run
from tests.support.command import run
from tests.training.conftest import Trained


def test_a_run_is_published_to_a_folder_and_to_google_cloud(trained: Trained, bucket: Storage) -> None:
    card = publish(trained.run, bucket, promote=True)
    assert registry.read_current(bucket).version == card.version
    assert registry.read_file(bucket, card, "model.onnx") == (trained.run / "version" / "model.onnx").read_bytes()


def test_publishing_twice_changes_nothing(trained: Trained, bucket: Storage) -> None:
    publish(trained.run, bucket, promote=True)
    before = {name: bucket.read(name).generation for name in bucket.names("models/") if "current" not in name}
    publish(trained.run, bucket, promote=True)
    assert {name: bucket.read(name).generation for name in before} == before


def test_the_command_publishes_to_the_bucket_of_the_environment(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ANIMALS_BUCKET", str(tmp_path))
    run("publish", str(trained.run), "--no-promote")
    assert capsys.readouterr().out == f"{trained.card.version} is published in {tmp_path}.\n"
    assert registry.versions(open_storage(str(tmp_path))) == [trained.card.version]
    assert not (tmp_path / "models" / "current.json").exists()


def test_a_folder_without_a_finished_run_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no finished run"):
        read_run(tmp_path)


def test_a_card_that_cannot_be_read_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "version").mkdir()
    (tmp_path / "version" / "card.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UsageError, match="cannot be read by this version of animals"):
        read_run(tmp_path)


def with_accuracy(card: Card, accuracy: float, **changes: Any) -> Card:
    return card.model_copy(update={"metrics": card.metrics.model_copy(update={"accuracy": accuracy}), **changes})


def test_a_version_is_best_unless_a_more_accurate_one_serves(trained: Trained) -> None:
    storage = open_storage(trained.config.bucket)
    serving = trained.card.metrics.accuracy
    assert is_best(with_accuracy(trained.card, serving), storage)
    assert not is_best(with_accuracy(trained.card, serving - 0.01), storage)
    more = trained.card.split.model_copy(update={"manifest_sha256": "0" * 64})
    assert not is_best(with_accuracy(trained.card, serving - 0.01, split=more), storage)
    other = more.model_copy(update={"test_sha256": "0" * 64})
    assert is_best(with_accuracy(trained.card, serving - 0.01, split=other), storage)
