"""Several processes train as one: the same batches, the same steps, one result."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from animals.errors import ConfigError
from animals.records import Card
from animals.training.distributed import is_first_process, join_cluster, vertex_variables
from animals.training.epochs import METRICS, read_metrics

# no batch norm, whose statistics are of each process's part alone, and no chance, which each process draws by itself
TINY = [
    *("model.name=test_vit", "data.side=32", "data.workers=0", "trainer.epochs=2", "trainer.batch_size=16"),
    *("trainer.accelerator=cpu", "trainer.precision=fp32", "tracking.mode=disabled", "optimizer.lr=1e-4"),
    *("augment.flip=0", "augment.rotate=0", "augment.zoom=0", "augment.shift=0", "augment.color=0"),
]
SPEC = {
    "cluster": {"workerpool0": ["first:2222"], "workerpool1": ["second:2222", "third:2222"]},
    "environment": "cloud",
    "task": {"type": "workerpool1", "index": 1},
}


def trained(folder: Path, pictures: Path, *launcher: str, overrides: tuple[str, ...] = ()) -> Path:
    """Train in a folder of its own and give the run's folder back."""
    folder.mkdir()
    command = [sys.executable, *launcher, "-m", "animals", "train", "experiment=folder", f"data.root={pictures}"]
    done = subprocess.run([*command, *TINY, *overrides], cwd=folder, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    (run,) = (folder / "runs").iterdir()
    return run


def assert_same(one: Path, other: Path) -> None:
    """The same run up to the last digits, which depend on the order in which numbers are added."""
    for mine, theirs in zip(read_metrics(one / METRICS), read_metrics(other / METRICS), strict=True):
        for name in ("train/loss", "val/loss", "val/accuracy", "lr"):
            assert mine[name] == pytest.approx(theirs[name], rel=1e-4), name
    cards = [Card.model_validate_json((run / "version" / "card.json").read_bytes()) for run in (one, other)]
    assert cards[0].metrics.loss == pytest.approx(cards[1].metrics.loss, rel=1e-4)


@pytest.fixture(scope="module")
def alone(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("alone") / "run", pictures)


def test_two_processes_learn_what_one_does(pictures: Path, tmp_path: Path, alone: Path) -> None:
    together = trained(tmp_path / "two", pictures, overrides=("trainer=ddp", "trainer.devices=2"))
    assert_same(alone, together)


def test_processes_that_torchrun_starts_learn_what_one_does(pictures: Path, tmp_path: Path, alone: Path) -> None:
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
    assert_same(
        alone, trained(tmp_path / "torchrun", pictures, *launcher, overrides=("trainer=ddp", "trainer.devices=2"))
    )


def test_batch_norm_is_trained_on_cpus_too_where_torch_cannot_synchronize_it(pictures: Path, tmp_path: Path) -> None:
    overrides = ("trainer=ddp", "trainer.devices=2", "model.name=test_resnet", "trainer.epochs=1")
    assert (trained(tmp_path / "two", pictures, overrides=overrides) / "version" / "card.json").is_file()


def test_vertex_ai_tells_each_machine_its_place() -> None:
    assert vertex_variables(json.dumps(SPEC)) == {
        "MASTER_ADDR": "first",
        "MASTER_PORT": "2222",
        "NODE_RANK": "2",
    }


@pytest.mark.parametrize("spec", ["no json", "{}", json.dumps(SPEC | {"task": {"type": "workerpool9", "index": 0}})])
def test_a_cluster_spec_of_another_form_is_a_config_error(spec: str) -> None:
    with pytest.raises(ConfigError, match="CLUSTER_SPEC is not what Vertex AI sets"):
        vertex_variables(spec)


def test_joining_leaves_what_a_launcher_has_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTER_SPEC", json.dumps(SPEC))
    for name, value in {"MASTER_ADDR": "elsewhere", "MASTER_PORT": "1", "NODE_RANK": "7"}.items():
        monkeypatch.setenv(name, value)
    join_cluster()
    assert (os.environ["MASTER_ADDR"], os.environ["NODE_RANK"]) == ("elsewhere", "7")
    assert not is_first_process()


def test_alone_this_is_the_first_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "LOCAL_RANK", "NODE_RANK", "CLUSTER_SPEC"):
        monkeypatch.delenv(name, raising=False)
    join_cluster()
    assert is_first_process()
    monkeypatch.setenv("RANK", "1")
    assert not is_first_process()
