"""Whole trainings on shards in the emulator: undisturbed, in two processes, and interrupted within an epoch."""

import logging
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from animals.config.compose import compose_train_config
from animals.config.training import TrainConfig
from animals.data.shards.index import ShardSet
from animals.data.shards.order import ShardOrder
from animals.data.split import read_manifest
from animals.errors import PicturesUnavailable
from animals.records import Card
from animals.storage import open_storage
from animals.training.callbacks import METRICS, read_metrics
from animals.training.evaluation.model_under_test import load_model_under_test
from animals.training.runs import LAST
from tests.support.emulator import Emulator
from tests.support.shards import write_tiny_shards
from tests.support.training import SAME_FOR_ANY_PROCESSES, assert_same_training, only_run, run_training, weights
from tests.training.conftest import published

pytestmark = pytest.mark.minutes

# six batches of eight
TINY = (
    *SAME_FOR_ANY_PROCESSES,
    *("experiment=shards", "data.streams=4", "data.window=5"),
    *("trainer.epochs=2", "trainer.batch_size=8", "trainer.workers=0"),
)


def configure(url: str, folder: Path) -> TrainConfig:
    folders = [f"data.root={url}", f"data.cache_dir={folder / 'cache'}", f"bucket={folder / 'bucket'}"]
    return compose_train_config([*TINY, *folders])


@dataclass(frozen=True)
class Streamed:
    """An undisturbed run on shards in the emulator."""

    shards: ShardSet
    run: Path
    card: Card
    config: TrainConfig


@pytest.fixture(scope="module")
def undisturbed(pictures: Path, emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Streamed]:
    folder = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("STORAGE_EMULATOR_HOST", emulator.url)
        shards = write_tiny_shards(pictures, f"gs://{emulator.make_bucket()}/shards", folder / "written")
        config = configure(shards.url, folder)
        run = folder / "runs" / "20260101-000000-streamed"
        yield Streamed(shards, run, published(config, run), config)


@pytest.fixture(autouse=True)
def _emulated(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", emulator.url)


def test_a_run_on_shards_ends_with_a_published_version_that_can_be_evaluated(undisturbed: Streamed) -> None:
    card = undisturbed.card
    assert card.split.counts == {"train": 48, "val": 6, "test": 6}
    assert card.metrics.pictures == 6
    assert card.input.mean == undisturbed.shards.index.pixels.mean
    manifest = read_manifest(undisturbed.run / "manifest.csv")
    assert [row.sha256 for row in manifest if row.split == "train"] == [
        shard.file.sha256 for shard in undisturbed.shards.of("train")
    ]
    subject = load_model_under_test(open_storage(undisturbed.config.bucket), card)
    assert len(subject.data_set.rows("test")) == 6


def test_two_processes_with_workers_learn_what_one_does(undisturbed: Streamed, tmp_path: Path) -> None:
    two = ("trainer=ddp", "trainer.devices=2", "trainer.workers=1")
    run_training(tmp_path, *TINY, f"data.root={undisturbed.shards.url}", *two)
    assert_same_training(undisturbed.run, only_run(tmp_path))


def test_a_killed_run_resumes_within_the_epoch(
    undisturbed: Streamed, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stuck = (  # in the second epoch, after two of its batches
        "import pathlib, time, animals.training.module as m; step = m.PictureClassifier.training_step\n"
        "def slow(self, *batch):\n"
        "    if self.global_step == 8: pathlib.Path('reached').touch(); time.sleep(600)\n"
        "    return step(self, *batch)\n"
        "m.PictureClassifier.training_step = slow\n"
        "from animals.__main__ import main; main()"
    )
    command = [
        sys.executable,
        "-c",
        stuck,
        "train",
        *TINY,
        f"data.root={undisturbed.shards.url}",
        "trainer.save_minutes=1e-9",
    ]
    with subprocess.Popen(command, cwd=tmp_path) as process:
        deadline = time.monotonic() + 120
        while not (tmp_path / "reached").exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        process.kill()
    with caplog.at_level(logging.INFO):
        published(configure(undisturbed.shards.url, tmp_path), only_run(tmp_path))
    assert "Resuming in epoch 2 after 2 of 6 batches" in caplog.text
    assert weights(only_run(tmp_path)) == weights(undisturbed.run)


def test_a_run_whose_pictures_were_unavailable_resumes_where_it_was(
    undisturbed: Streamed, pictures: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shards = write_tiny_shards(pictures, str(tmp_path / "shards"), tmp_path / "written")
    config, run = configure(shards.url, tmp_path), tmp_path / "run"
    shard = tmp_path / "shards" / shards.of("train")[last_of_first_epoch(shards)].name
    shutil.move(shard, tmp_path / "moved")
    with pytest.raises(PicturesUnavailable, match=f"{shard.name} is missing.*\n.*resume with the same command and"):
        published(config, run)
    assert (run / LAST).is_file()
    shutil.move(tmp_path / "moved", shard)
    with caplog.at_level(logging.INFO):
        published(config, run)
    assert "Resuming in epoch 1 after " in caplog.text
    assert len(read_metrics(run / METRICS)) == 2
    assert weights(run) == weights(undisturbed.run)


def last_of_first_epoch(shards: ShardSet) -> int:
    order = ShardOrder([shard.pictures for shard in shards.of("train")], 8, 4, seed=0)
    return list(order.segments(0, 3, 0))[-1].shard
