"""A run that was cut off goes on where it was, and ends where it would have ended."""

import csv
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
from animals.records import Card
from animals.training import runs
from animals.training.epochs import METRICS, read_metrics
from animals.training.module import PictureClassifier
from animals.training.pipeline import train
from animals.training.runs import open_run
from tests.support.pictures import write_label_folders
from tests.training.conftest import published, tiny_config


def overrides(pictures: Path) -> list[str]:
    settings = ["model.name=test_resnet", "model.drop_rate=0.3", "trainer.epochs=4", "trainer.batch_size=8"]
    fast = ["data.side=32", "data.workers=0", "trainer.accelerator=cpu", "trainer.precision=fp32", "trainer.ema=0.9"]
    return ["experiment=folder", f"data.root={pictures}", "tracking.mode=disabled", *settings, *fast]


@pytest.fixture
def started(pictures: Path, tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A training process, slowed down so that a signal finds it in the middle of an epoch."""
    slow = (
        "import time, animals.training.module as m; step = m.PictureClassifier.training_step;"
        "m.PictureClassifier.training_step = lambda *a: (time.sleep(0.15), step(*a))[1];"
        "from animals.__main__ import main; main()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", slow, "train", *overrides(pictures)],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        yield process
        process.kill()


def wait_for_epoch(folder: Path, epoch: int) -> Path:
    """Wait until an epoch is over, then a little into the next."""
    for _ in range(1800):
        for metrics in folder.glob("runs/*/metrics/metrics.csv"):
            with metrics.open(encoding="utf-8") as file:
                if len(list(csv.DictReader(file))) >= epoch:
                    time.sleep(0.4)
                    return metrics.parent.parent
        time.sleep(0.1)
    raise AssertionError("the training never got so far")


def resume(pictures: Path, folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "animals", "train", *overrides(pictures), "trainer.resume=auto"]
    return subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", check=False)


def card(run: Path) -> Card:
    return Card.model_validate_json((run / "version" / "card.json").read_bytes())


@pytest.fixture(scope="module")
def uninterrupted(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Card:
    folder = tmp_path_factory.mktemp("uninterrupted")
    command = [sys.executable, "-m", "animals", "train", *overrides(pictures)]
    subprocess.run(command, cwd=folder, capture_output=True, check=True)
    (run,) = folder.glob("runs/*")
    return card(run)


def test_a_killed_run_ends_with_the_metrics_of_one_that_was_not(
    started: "subprocess.Popen[str]", pictures: Path, tmp_path: Path, uninterrupted: Card
) -> None:
    run = wait_for_epoch(tmp_path, 2)
    started.kill()
    started.wait()
    done = resume(pictures, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Going on in epoch 2 after 6 of 6 batches" in done.stderr
    assert card(run).metrics == uninterrupted.metrics
    assert card(run).files["model.safetensors"] == uninterrupted.files["model.safetensors"]
    with (run / "metrics" / "metrics.csv").open(encoding="utf-8") as file:
        assert [float(row["epoch"]) for row in csv.DictReader(file)] == [0, 1, 2, 3]


@pytest.mark.skipif(os.name != "posix", reason="Windows has no signals to send to another process")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_in_the_middle_of_an_epoch_and_says_how_to_go_on(
    number: signal.Signals, started: "subprocess.Popen[str]", pictures: Path, tmp_path: Path, uninterrupted: Card
) -> None:
    run = wait_for_epoch(tmp_path, 1)
    started.send_signal(number)
    sent = time.monotonic()
    _, told = started.communicate()
    assert time.monotonic() - sent < 10
    assert started.returncode == 130
    assert "error: Interrupted in epoch 2, nothing is lost." in told
    assert f"trainer.resume=runs/{run.name}" in told
    assert "Traceback" not in told
    done = resume(pictures, tmp_path)
    assert "Going on in epoch 2 after " in done.stderr
    assert "after 6 of 6 batches" not in done.stderr
    assert card(run).metrics == uninterrupted.metrics
    assert card(run).files["model.safetensors"] == uninterrupted.files["model.safetensors"]


@pytest.fixture
def config(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainConfig:
    monkeypatch.chdir(tmp_path)
    return tiny_config(pictures, tmp_path)


def unfinished(config: TrainConfig) -> Path:
    run = open_run(config)
    (run / runs.LAST).parent.mkdir()
    (run / runs.LAST).touch()
    return run


def test_each_run_has_a_folder_of_its_own_even_in_the_same_second(config: TrainConfig) -> None:
    folders = {open_run(config) for _ in range(3)}
    assert len(folders) == 3
    assert all(folder.is_dir() and folder.name.endswith(("tiny", "tiny-2", "tiny-3")) for folder in folders)


def test_auto_finds_the_last_unfinished_run_of_the_same_configuration(config: TrainConfig) -> None:
    unfinished(config)
    last = unfinished(config)
    other = tiny_config(Path(config.data.root), Path(config.bucket).parent, seed=1)
    unfinished(other)
    config.trainer.resume = "auto"
    assert open_run(config) == last


def test_auto_starts_anew_when_all_runs_are_finished_or_different(config: TrainConfig) -> None:
    run = unfinished(config)
    (run / "version").mkdir()
    (run / "version" / "card.json").touch()
    config.trainer.resume = "auto"
    assert open_run(config) != run


def test_a_chosen_run_may_be_published_elsewhere_but_not_be_configured_otherwise(config: TrainConfig) -> None:
    run = unfinished(config)
    config.trainer.resume = str(run)
    config.bucket = "gs://elsewhere"
    assert open_run(config) == run
    config.optimizer.lr = 1.0
    with pytest.raises(ConfigError, match=r"that run was configured otherwise in optimizer\.lr\. Give the same"):
        open_run(config)


def test_a_run_without_a_checkpoint_cannot_be_continued(config: TrainConfig) -> None:
    config.trainer.resume = "runs/none"
    with pytest.raises(ConfigError, match=r"there is no runs.none.checkpoints.last\.ckpt to go on from"):
        open_run(config)


def test_a_finished_run_cannot_be_continued(config: TrainConfig) -> None:
    run = unfinished(config)
    (run / "version").mkdir()
    (run / "version" / "card.json").touch()
    config.trainer.resume = str(run)
    with pytest.raises(ConfigError, match=r"that run is finished\. Publish it again with: invoke publish"):
        open_run(config)


def test_ctrl_c_in_this_process_is_an_error_that_says_how_to_go_on(
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


def test_a_run_does_not_go_on_with_other_pictures(config: TrainConfig, tmp_path: Path) -> None:
    run = open_run(config)
    config.trainer.epochs = 1
    train(config, run)
    root = write_label_folders(tmp_path / "others", per_label=21)
    config.data.root = str(root)
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
    with pytest.raises(StorageUnavailable, match=r"The disk is full\. What was trained up to the last whole epoch"):
        train(config, run)
    monkeypatch.undo()
    assert published(config, run).metrics.accuracy > 0.3
    assert len(read_metrics(run / METRICS)) == config.trainer.epochs
