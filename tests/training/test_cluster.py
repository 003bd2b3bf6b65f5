"""Several machines of Vertex AI, here as processes of this one, train as one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from animals.errors import ConfigError
from animals.records import Card
from animals.training import cluster
from tests.support.emulator import free_port
from tests.training.test_distributed import SPEC, TINY


def spec(machine: int, address: str = "127.0.0.1") -> str:
    """CLUSTER_SPEC of the first or the second of two machines."""
    pools = {"workerpool0": [f"{address}:2222"], "workerpool1": [f"{address}:2222"]}
    return json.dumps({"cluster": pools, "task": {"type": f"workerpool{machine}", "index": 0}})


def test_torchrun_is_started_with_this_machines_place() -> None:
    words = cluster.command(json.dumps(SPEC), 4, ["trainer=ddp"])
    assert words[1:3] == ["-m", "torch.distributed.run"]
    assert {"--nnodes=3", "--node-rank=2", "--nproc-per-node=4", "--master-addr=first", "--master-port=2222"} < set(
        words
    )
    assert words[-4:] == ["-m", "animals", "train", "trainer=ddp"]


def test_a_spec_of_another_form_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="CLUSTER_SPEC is not what Vertex AI sets"):
        cluster.command("{}", 1, [])


def test_without_a_cluster_it_says_what_to_type_instead(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "animals", "cluster"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 2
    assert "On one machine: animals train" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="torch's store for several machines needs libuv there")
def test_two_machines_train_one_version_and_the_first_publishes_it(pictures: Path, tmp_path: Path) -> None:
    """Each in a folder of its own, as on machines that share nothing but the bucket."""
    start = "import animals.training.distributed as d; d.VERTEX_PORT = '{}'; from animals.__main__ import main; main()"
    code = start.format(free_port())
    overrides = [*TINY, "trainer=ddp", "trainer.devices=1", "trainer.nodes=2", "trainer.epochs=1"]
    machines = []
    for number in range(2):
        folder = tmp_path / f"machine{number}"
        folder.mkdir()
        environment = {**os.environ, "CLUSTER_SPEC": spec(number), "ANIMALS_BUCKET": str(tmp_path / "bucket")}
        words = [sys.executable, "-c", code, "cluster", "experiment=folder", f"data.root={pictures}", *overrides]
        machines.append(
            subprocess.Popen(words, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        )
    said = [machine.communicate(timeout=300)[0].decode() for machine in machines]
    assert [machine.returncode for machine in machines] == [0, 0], said
    (published,) = (tmp_path / "bucket" / "models").glob("*/card.json")
    assert Card.model_validate_json(published.read_bytes()).metrics.pictures > 0
    assert "Accuracy" in said[0]
    assert "Accuracy" not in said[1]
    assert not list((tmp_path / "machine1").glob("runs/*/version"))
