"""Whole trainings on shards in the emulator: alone, together, and cut off in the middle of an epoch."""

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
from animals.training.epochs import METRICS, read_metrics
from animals.training.evaluation.model_under_test import load_model_under_test
from animals.training.runs import LAST
from tests.support.emulator import Emulator
from tests.support.shards import write_tiny_shards
from tests.training.conftest import published
from tests.training.test_distributed import assert_same

# six batches of eight; no chance in the steps, which each process draws by itself
TINY = [
    *("experiment=shards", "data.side=32", "data.streams=4", "data.window=5", "data.workers=0", "trainer.epochs=2"),
    *("model.name=test_vit", "trainer.batch_size=8", "trainer.accelerator=cpu", "trainer.precision=fp32"),
    *("augment.flip=0", "augment.rotate=0", "augment.zoom=0", "augment.shift=0", "augment.color=0"),
    *("tracking.mode=disabled", "trainer.workers=0", "optimizer.lr=1e-4"),
]


def configured(url: str, folder: Path) -> TrainConfig:
    places = [f"data.root={url}", f"data.cache_dir={folder / 'cache'}", f"bucket={folder / 'bucket'}"]
    return compose_train_config([*TINY, *places])


def run_of(folder: Path) -> Path:
    (run,) = (folder / "runs").iterdir()
    return run


def weights(run: Path) -> str:
    card = Card.model_validate_json((run / "version" / "card.json").read_bytes())
    return card.files["model.safetensors"].sha256


@dataclass(frozen=True)
class Streamed:
    """A run on shards in the emulator that nobody disturbed."""

    shards: ShardSet
    run: Path
    card: Card
    config: TrainConfig


@pytest.fixture(scope="module")
def alone(pictures: Path, emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Streamed]:
    folder = tmp_path_factory.mktemp("alone")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("STORAGE_EMULATOR_HOST", emulator.url)
        shards = write_tiny_shards(pictures, f"gs://{emulator.make_bucket()}/shards", folder / "written")
        config = configured(shards.url, folder)
        run = folder / "runs" / "20260101-000000-alone"
        yield Streamed(shards, run, published(config, run), config)


@pytest.fixture(autouse=True)
def _emulated(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", emulator.url)


def test_a_run_on_shards_ends_with_a_published_version(alone: Streamed) -> None:
    assert alone.card.split.counts == {"train": 48, "val": 6, "test": 6}
    assert alone.card.metrics.pictures == 6
    assert alone.card.input.mean == alone.shards.index.pixels.mean
    manifest = read_manifest(alone.run / "manifest.csv")
    assert [row.sha256 for row in manifest if row.split == "train"] == [
        shard.file.sha256 for shard in alone.shards.of("train")
    ]


def test_its_version_can_be_evaluated(alone: Streamed) -> None:
    subject = load_model_under_test(open_storage(alone.config.bucket), alone.card)
    assert len(subject.data_set.rows("test")) == 6


def test_two_processes_with_workers_learn_what_one_does(alone: Streamed, tmp_path: Path) -> None:
    together = ["trainer=ddp", "trainer.devices=2", "trainer.workers=1"]
    command = [sys.executable, "-m", "animals.training", *TINY, f"data.root={alone.shards.url}", *together]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    assert_same(alone.run, run_of(tmp_path))


def test_a_run_that_was_killed_goes_on_within_the_epoch(
    alone: Streamed, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stuck = (  # in the second epoch, after two of its batches
        "import pathlib, time, animals.training.module as m; step = m.PictureClassifier.training_step\n"
        "def slow(self, *batch):\n"
        "    if self.global_step == 8: pathlib.Path('reached').touch(); time.sleep(600)\n"
        "    return step(self, *batch)\n"
        "m.PictureClassifier.training_step = slow\n"
        "from animals.training.__main__ import main; main()"
    )
    line = [sys.executable, "-c", stuck, *TINY, f"data.root={alone.shards.url}", "trainer.save_minutes=1e-9"]
    with subprocess.Popen(line, cwd=tmp_path) as process:
        deadline = time.monotonic() + 120
        while not (tmp_path / "reached").exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        process.kill()
    with caplog.at_level(logging.INFO):
        published(configured(alone.shards.url, tmp_path), run_of(tmp_path))
    assert "Going on in epoch 2 after 2 of 6 batches" in caplog.text
    assert weights(run_of(tmp_path)) == weights(alone.run)


def test_a_run_that_lost_its_pictures_goes_on_where_it_was(
    alone: Streamed, pictures: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shards = write_tiny_shards(pictures, str(tmp_path / "shards"), tmp_path / "written")
    config, run = configured(shards.url, tmp_path), tmp_path / "run"
    lost = tmp_path / "shards" / shards.of("train")[last_of_first_epoch(shards)].name
    shutil.move(lost, tmp_path / "kept")
    with pytest.raises(PicturesUnavailable, match=f"{lost.name} is missing.*\n.*go on with the same command and"):
        published(config, run)
    assert (run / LAST).is_file()
    shutil.move(tmp_path / "kept", lost)
    with caplog.at_level(logging.INFO):
        published(config, run)
    assert "Going on in epoch 1 after " in caplog.text
    assert len(read_metrics(run / METRICS)) == 2
    assert weights(run) == weights(alone.run)


def last_of_first_epoch(shards: ShardSet) -> int:
    order = ShardOrder([shard.pictures for shard in shards.of("train")], 8, 4, seed=0)
    return list(order.segments(0, 3, 0))[-1].shard
