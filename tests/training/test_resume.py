"""An interrupted run resumes where it was, and ends as it would have ended."""

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytorch_lightning import Trainer

from animals.config.training import TrainConfig
from animals.errors import ConfigError, DataError, Interrupted, StorageUnavailable
from animals.training import runs
from animals.training.callbacks import METRICS, read_metrics
from animals.training.module import PictureClassifier
from animals.training.pipeline import train
from animals.training.runs import open_run
from tests.support.pictures import write_label_folders
from tests.support.training import QUICK, only_run, read_card, run_training, weights
from tests.training.conftest import published, tiny_config

pytestmark = pytest.mark.minutes

TINY = (
    *QUICK,
    *("experiment=folder", "method=full", "model.name=test_resnet", "model.drop_rate=0.3"),
    *("trainer.epochs=4", "trainer.batch_size=8", "trainer.ema=0.9"),
)

Training = subprocess.Popen[str]


@pytest.fixture
def training(pictures: Path, tmp_path: Path) -> Iterator[Training]:
    """A training process, slowed down so that a signal arrives in the middle of an epoch."""
    slow = (
        "import time, animals.training.module as m; step = m.PictureClassifier.training_step;"
        "m.PictureClassifier.training_step = lambda *a: (time.sleep(0.15), step(*a))[1];"
        "from animals.__main__ import main; main()"
    )
    command = [sys.executable, "-c", slow, "train", *TINY, f"data.root={pictures}"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, encoding="utf-8") as process:
        yield process
        process.kill()


def wait_for_epoch(folder: Path, epoch: int) -> Path:
    """Wait for the end of an epoch and some batches of the next, and return the run."""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        for metrics in folder.glob(f"runs/*/{METRICS.as_posix()}"):
            if len(metrics.read_text(encoding="utf-8").splitlines()) > epoch:
                time.sleep(0.4)
                return metrics.parent.parent
        time.sleep(0.1)
    raise AssertionError("the training did not reach the epoch")


@pytest.fixture(scope="module")
def uninterrupted(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted")
    run_training(folder, *TINY, f"data.root={pictures}")
    return only_run(folder)


def resume_and_compare(pictures: Path, folder: Path, uninterrupted: Path) -> str:
    """Resume, expect the result of an uninterrupted run, and return the log."""
    log = run_training(folder, *TINY, f"data.root={pictures}", "trainer.resume=auto").stderr
    run = only_run(folder)
    assert read_card(run).metrics == read_card(uninterrupted).metrics
    assert weights(run) == weights(uninterrupted)
    return log


def test_a_killed_run_ends_with_the_metrics_of_one_that_was_not(
    training: Training, pictures: Path, tmp_path: Path, uninterrupted: Path
) -> None:
    run = wait_for_epoch(tmp_path, 2)
    training.kill()
    training.wait()
    assert "Resuming in epoch 2 after 6 of 6 batches" in resume_and_compare(pictures, tmp_path, uninterrupted)
    assert [row["epoch"] for row in read_metrics(run / METRICS)] == [0, 1, 2, 3]


@pytest.mark.skipif(os.name != "posix", reason="Windows has no signals to send to another process")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_in_the_middle_of_an_epoch_and_the_message_says_how_to_resume(
    number: signal.Signals, training: Training, pictures: Path, tmp_path: Path, uninterrupted: Path
) -> None:
    run = wait_for_epoch(tmp_path, 1)
    training.send_signal(number)
    sent = time.monotonic()
    _, message = training.communicate()
    assert time.monotonic() - sent < 10
    assert training.returncode == 130
    assert "error: Interrupted in epoch 2, nothing is lost." in message
    assert f"trainer.resume=runs/{run.name}" in message
    assert "Traceback" not in message
    log = resume_and_compare(pictures, tmp_path, uninterrupted)
    assert "Resuming in epoch 2 after " in log
    assert "after 6 of 6 batches" not in log


@pytest.fixture
def config(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainConfig:
    monkeypatch.chdir(tmp_path)
    return tiny_config(pictures, tmp_path)


def make_unfinished(config: TrainConfig) -> Path:
    run = open_run(config)
    (run / runs.LAST).parent.mkdir()
    (run / runs.LAST).touch()
    return run


def make_finished(config: TrainConfig) -> Path:
    run = make_unfinished(config)
    (run / "version").mkdir()
    (run / "version" / "card.json").touch()
    return run


def test_each_run_has_a_folder_of_its_own_even_in_the_same_second(config: TrainConfig) -> None:
    folders = {open_run(config) for _ in range(3)}
    assert len(folders) == 3
    assert all(folder.is_dir() and folder.name.endswith(("tiny", "tiny-2", "tiny-3")) for folder in folders)


def test_auto_finds_the_last_unfinished_run_of_the_same_configuration(config: TrainConfig) -> None:
    make_unfinished(config)
    last = make_unfinished(config)
    make_unfinished(tiny_config(Path(config.data.root), Path(config.bucket).parent, seed=1))
    config.trainer.resume = "auto"
    assert open_run(config) == last


def test_auto_starts_a_new_run_when_all_are_finished(config: TrainConfig) -> None:
    run = make_finished(config)
    config.trainer.resume = "auto"
    assert open_run(config) != run


def test_a_chosen_run_may_have_another_bucket_but_not_other_hyperparameters(config: TrainConfig) -> None:
    run = make_unfinished(config)
    config.trainer.resume = str(run)
    config.bucket = "gs://elsewhere"
    assert open_run(config) == run
    config.optimizer.lr = 1.0
    with pytest.raises(ConfigError, match=r"that run has other values of optimizer\.lr\. Use its values"):
        open_run(config)


def test_a_run_that_is_finished_or_has_no_checkpoint_cannot_be_resumed(config: TrainConfig) -> None:
    config.trainer.resume = "runs/none"
    with pytest.raises(ConfigError, match=r"runs.none.checkpoints.last\.ckpt does not exist"):
        open_run(config)
    config.trainer.resume = "never"
    config.trainer.resume = str(make_finished(config))
    with pytest.raises(ConfigError, match=r"that run is finished\. Publish it again with: invoke publish"):
        open_run(config)


def test_ctrl_c_in_this_process_is_an_error_that_says_how_to_resume(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = PictureClassifier.training_step

    def interrupted(self: PictureClassifier, *arguments: object) -> object:
        signal.raise_signal(signal.SIGINT)
        return original(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(PictureClassifier, "training_step", interrupted)
    run = open_run(config)
    with pytest.raises(Interrupted, match="Interrupted in epoch 1, nothing is lost"):
        train(config, run)
    assert (run / runs.LAST).is_file()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_run_is_not_resumed_with_other_pictures(config: TrainConfig, tmp_path: Path) -> None:
    run = open_run(config)
    config.trainer.epochs = 1
    train(config, run)
    config.data.root = str(write_label_folders(tmp_path / "others", per_label=21))
    with pytest.raises(DataError, match=r"changed since .* began with them\. Start a new run"):
        train(config, run)


def test_a_full_disk_loses_no_whole_epoch(config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    saves = []
    original = Trainer.save_checkpoint

    def save(self: Trainer, *arguments: Any, **options: Any) -> None:
        saves.append(1)
        if len(saves) > 2:  # best and last of the first epoch fit
            raise OSError(errno.ENOSPC, "No space left on device")
        original(self, *arguments, **options)

    monkeypatch.setattr(Trainer, "save_checkpoint", save)
    run = open_run(config)
    with pytest.raises(StorageUnavailable, match=r"The disk is full\. The checkpoint of the last whole epoch"):
        train(config, run)
    monkeypatch.undo()
    assert published(config, run).metrics.accuracy > 0.3
    assert len(read_metrics(run / METRICS)) == config.trainer.epochs
