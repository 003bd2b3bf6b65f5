"""A machine that replaces another resumes its run from a bucket."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
from pytorch_lightning import Trainer

from animals.config.training import TrainConfig
from animals.storage import FolderStorage, Storage, open_storage
from animals.training import checkpoint_sync
from animals.training.checkpoint_sync import CheckpointUploader, download_runs, open_checkpoint_storage
from animals.training.module import PictureClassifier
from animals.training.pipeline import train
from tests.support.pictures import COLORS, write_picture
from tests.training.conftest import tiny_config


class Gone(Exception):
    """The machine."""


@pytest.fixture
def config(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainConfig:
    monkeypatch.chdir(tmp_path)
    config = tiny_config(pictures, tmp_path, epochs=3)
    config.trainer.resume = "auto"
    return config


def lose_machine(monkeypatch: pytest.MonkeyPatch, config: TrainConfig) -> None:
    """Train until the machine is lost in the last epoch, and its disk with it."""

    def end(self: pl.LightningModule) -> None:
        if self.current_epoch == 2:
            raise Gone

    with monkeypatch.context() as patch:
        patch.setattr(PictureClassifier, "on_train_epoch_start", end)
        with pytest.raises(Gone):
            train(config)
    shutil.rmtree("runs")
    monkeypatch.delenv("ANIMALS_RUN")


def test_on_an_empty_disk_the_run_is_resumed_where_it_was(
    config: TrainConfig, gcs_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AIP_CHECKPOINT_DIR", f"{gcs_url}/checkpoints/")
    lose_machine(monkeypatch, config)
    with caplog.at_level("INFO"):
        card = train(config)
    assert card is not None
    assert "Resuming in epoch 2 after" in caplog.text
    (run,) = (path for path in Path("runs").iterdir() if path.is_dir())
    assert len((run / "metrics" / "metrics.csv").read_text(encoding="utf-8").splitlines()) == 4
    uploaded = {name.partition("/")[2] for name in open_storage(f"{gcs_url}/checkpoints").names()}
    assert {"run.log", "config.yaml", "metrics/metrics.csv", "checkpoints/last.ckpt"} <= uploaded
    assert any(name.startswith("figures/") for name in uploaded)
    assert not any(name.startswith("version/") for name in uploaded)


def test_without_vertex_ai_nothing_is_uploaded() -> None:
    assert open_checkpoint_storage() is None


def write_more(root: Path, per_label: int) -> None:
    for index, (label, color) in enumerate(COLORS.items()):
        for number in range(per_label):
            write_picture(root / label / f"{number}.jpg", color, seed=9000 + 100 * index + number)


def test_pictures_that_were_added_to_the_extra_folder_meanwhile_are_left_out(
    config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write_more(tmp_path / "extra", 2)
    config.data.extra = str(tmp_path / "extra")
    monkeypatch.setenv("AIP_CHECKPOINT_DIR", str(tmp_path / "synced"))
    lose_machine(monkeypatch, config)
    write_more(tmp_path / "extra", 4)
    with caplog.at_level("INFO"):
        card = train(config)
    assert card is not None
    assert "6 pictures that were added since the run began are left out" in caplog.text
    assert "Resuming in epoch" in caplog.text


def make_run(run: Path) -> Path:
    for file in checkpoint_sync.NEEDED:
        (run / file).parent.mkdir(parents=True, exist_ok=True)
        (run / file).write_bytes(b"x")
    return run


def call(callback: CheckpointUploader) -> None:
    unused: Any = None
    callback.on_train_batch_end(unused, unused, None, None, 0)


def test_a_bucket_that_cannot_be_reached_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "bucket").write_text("a file, where no folder can be", encoding="utf-8")
    call(CheckpointUploader(FolderStorage(tmp_path / "bucket"), make_run(tmp_path / "run")))
    assert "config.yaml of the run could not be uploaded" in caplog.text


def test_unchanged_files_are_not_uploaded_again_and_the_last_checkpoint_is_uploaded_last(tmp_path: Path) -> None:
    names: list[str] = []

    class RecordingStorage(FolderStorage):
        def write(self, name: str, data: bytes, *, if_generation: str | None = None) -> str:
            names.append(name)
            return super().write(name, data, if_generation=if_generation)

    run = make_run(tmp_path / "run")
    callback = CheckpointUploader(RecordingStorage(tmp_path / "bucket"), run)
    call(callback)
    call(callback)
    assert len(names) == len(checkpoint_sync.NEEDED)
    assert names[-1] == "run/checkpoints/last.ckpt"


def test_only_files_that_a_run_is_resumed_from_are_downloaded(
    bucket: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("r/config.yaml", "r/checkpoints/last.ckpt", "r/figures/curves.png", "r/version/card.json"):
        bucket.write(name, b"x")
    download_runs(bucket)
    downloaded = {path.relative_to("runs").as_posix() for path in Path("runs").rglob("*") if path.is_file()}
    assert downloaded - {".checkpoint_sync.lock"} == {"r/config.yaml", "r/checkpoints/last.ckpt"}


def test_the_upload_comes_after_the_callback_that_saves(tmp_path: Path) -> None:
    last = CheckpointUploader(FolderStorage(tmp_path), tmp_path)
    saving = pl.callbacks.ModelCheckpoint(tmp_path)
    trainer: Any = Trainer(callbacks=[saving, last, pl.callbacks.Timer()], logger=False, accelerator="cpu")
    assert [callback for callback in trainer.callbacks if callback in (saving, last)] == [saving, last]
    assert trainer.callbacks[-1] is last
