"""`animals train` as a person types it."""

from pathlib import Path

import pytest

from animals.training.train import summary
from tests.support.training import QUICK, only_run, run_training
from tests.training.conftest import Trained

TINY = (
    *QUICK,
    "experiment=folder",
    "method=full",
    "model.name=test_resnet",
    "trainer.epochs=1",
    "trainer.batch_size=8",
)


def test_a_run_ends_with_accuracy_version_place_and_the_next_command(pictures: Path, tmp_path: Path) -> None:
    done = run_training(tmp_path, *TINY, f"data.root={pictures}")
    assert "Accuracy  " in done.stdout
    assert "-folder-" in done.stdout
    assert "serves from data/bucket" in done.stdout
    assert "uv run invoke serve" in done.stdout
    assert (tmp_path / "data" / "bucket" / "models" / "current.json").is_file()
    names = {path.name for path in only_run(tmp_path).iterdir()}
    assert {"run.log", "manifest.csv", "version", "checkpoints", "config.yaml"} <= names
    assert "Warning" not in done.stderr


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["optimizer.lrr=1"], "error: There is no setting optimizer.lrr. Did you mean lr?\n"),
        (["model.name=resnet81"], 'error: model.name is "resnet81", which timm does not know. Nearest: '),
        (["optimizer.lr=-1"], "error: optimizer.lr is -1.0; expected more than 0.\n"),
        (
            ["experiment=folder", "data.root=gone"],
            "error: data.root=gone is no folder. Expected a folder with one",
        ),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(overrides: list[str], message: str, tmp_path: Path) -> None:
    done = run_training(tmp_path, *overrides, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert not list(tmp_path.iterdir())


def test_the_summary_says_when_a_version_does_not_serve(trained: Trained) -> None:
    trained.config.promote = False
    try:
        assert "published, not promoted, in" in summary(trained.card, trained.config)
    finally:
        trained.config.promote = True
