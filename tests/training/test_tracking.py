"""What W&B gets, read from the files that it keeps of a run without a key."""

import json
import os
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from wandb.proto import wandb_internal_pb2

from animals.config.training import TrackingConfig
from animals.data.dataset import DataSet
from animals.training.evaluation.metrics import Evaluation
from animals.training.tracking import log_mistakes, track_run
from tests.support import secret_server
from tests.training.conftest import Trained


def test_the_worst_mistakes_are_a_table_with_pictures(
    evaluation: Evaluation, data_set: DataSet, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    with track_run(TrackingConfig(mode="offline"), run, {}) as loggers:
        log_mistakes(loggers, evaluation, data_set)
    (path,) = run.glob("wandb/offline-run-*/files/media/table/worst_mistakes_table*.json")
    table = json.loads(path.read_text(encoding="utf-8"))
    assert table["columns"] == ["image", "picture", "target", "prediction", "confidence"]
    assert len(table["data"]) == (~evaluation.correct).sum() > 0
    for image, picture, target, prediction, confidence in table["data"]:
        assert image == "Image"  # as W&B names one; the file itself goes to its server
        assert picture.startswith(f"{target}/")
        assert prediction == data_set.labels[0] != target
        assert 0 < confidence <= 1
    confidences = [row[-1] for row in table["data"]]
    assert confidences == sorted(confidences, reverse=True)


def test_the_model_is_an_artifact_with_aliases(trained: Trained) -> None:
    (path,) = trained.run.glob("wandb/offline-run-*/run-*.wandb")
    messages: Any = wandb_internal_pb2  # without types
    orders = permutations(["best", "latest", trained.card.version])
    content = path.read_bytes()
    assert any(messages.ArtifactRecord(aliases=order).SerializeToString() in content for order in orders)


def test_the_key_may_be_in_secret_manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "")  # so that it is restored afterwards
    monkeypatch.setenv("WANDB_MODE", "offline")
    name = "projects/p/secrets/animals-wandb-key/versions/latest"
    monkeypatch.setenv("ANIMALS_WANDB_KEY_NAME", name)
    run = tmp_path / "run"
    run.mkdir()
    with secret_server.google(monkeypatch, tmp_path) as google:
        google[f"/v1/{name}:access"] = secret_server.secret_response("k" * 40)
        with track_run(TrackingConfig(mode="auto"), run, {}):
            assert os.environ["WANDB_API_KEY"] == "k" * 40
