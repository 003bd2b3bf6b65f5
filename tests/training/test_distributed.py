"""Several processes train as one: the same batches, the same steps, one result."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from animals.errors import ConfigError
from animals.training.distributed import is_first_process, main, torchrun_command
from tests.support.emulator import free_port
from tests.support.training import SAME_FOR_ANY_PROCESSES, assert_same_training, only_run, read_card, run_training

pytestmark = pytest.mark.minutes

TINY = (*SAME_FOR_ANY_PROCESSES, "experiment=folder", "method=full", "trainer.epochs=2", "trainer.batch_size=16")
TWO = ("trainer=ddp", "trainer.devices=2")
SPEC = {
    "cluster": {"workerpool0": ["first:2222"], "workerpool1": ["second:2222", "third:2222"]},
    "environment": "cloud",
    "task": {"type": "workerpool1", "index": 1},
}


@pytest.fixture(scope="module")
def one_process(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of a training in one process."""
    folder = tmp_path_factory.mktemp("one")
    run_training(folder, *TINY, f"data.root={pictures}")
    return only_run(folder)


@pytest.mark.parametrize(
    "launcher", [(), ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")], ids=["itself", "torchrun"]
)
def test_two_processes_learn_what_one_does(
    launcher: tuple[str, ...], pictures: Path, tmp_path: Path, one_process: Path
) -> None:
    run_training(tmp_path, *TINY, f"data.root={pictures}", *TWO, launcher=launcher)
    assert_same_training(only_run(tmp_path), one_process)


def test_batch_norm_is_trained_on_cpus_too_where_torch_cannot_synchronize_it(pictures: Path, tmp_path: Path) -> None:
    run_training(tmp_path, *TINY, f"data.root={pictures}", *TWO, "model.name=test_resnet", "trainer.epochs=1")
    assert read_card(only_run(tmp_path)).metrics.pictures == 6


def spec_of(machine: int) -> str:
    """CLUSTER_SPEC of the first or the second of two machines."""
    pools = {f"workerpool{number}": ["127.0.0.1:2222"] for number in range(2)}
    return json.dumps({"cluster": pools, "task": {"type": f"workerpool{machine}", "index": 0}})


@pytest.mark.skipif(sys.platform == "win32", reason="torch's store for several machines needs libuv there")
def test_two_machines_train_one_version_and_the_first_publishes_it(pictures: Path, tmp_path: Path) -> None:
    """Each in a folder of its own, as on machines that share nothing but the bucket."""
    code = (
        f"import animals.training.distributed as d; d.VERTEX_PORT = '{free_port()}';"
        "from animals.__main__ import main; main()"
    )
    nodes = ("trainer=ddp", "trainer.devices=1", "trainer.nodes=2", "trainer.epochs=1")
    command = [sys.executable, "-c", code, "cluster", *TINY, f"data.root={pictures}", *nodes]
    machines = []
    for number in range(2):
        folder = tmp_path / f"machine{number}"
        folder.mkdir()
        environment = {**os.environ, "CLUSTER_SPEC": spec_of(number), "ANIMALS_BUCKET": str(tmp_path / "bucket")}
        machines.append(
            subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        )
    outputs = [machine.communicate(timeout=300)[0].decode() for machine in machines]
    assert [machine.returncode for machine in machines] == [0, 0], outputs
    assert len(list((tmp_path / "bucket" / "models").glob("*/card.json"))) == 1
    assert "Accuracy" in outputs[0]
    assert "Accuracy" not in outputs[1]
    assert not list((tmp_path / "machine1").glob("runs/*/version"))


def test_torchrun_is_started_with_this_machines_rank() -> None:
    words = torchrun_command(json.dumps(SPEC), 4, ["trainer=ddp"])
    assert words[1:3] == ["-m", "torch.distributed.run"]
    options = {"--nnodes=3", "--node-rank=2", "--nproc-per-node=4", "--master-addr=first", "--master-port=2222"}
    assert options < set(words)
    assert words[-4:] == ["-m", "animals", "train", "trainer=ddp"]


@pytest.mark.parametrize("spec", ["no json", "{}", json.dumps(SPEC | {"task": {"type": "workerpool9", "index": 0}})])
def test_a_cluster_spec_of_another_form_is_a_config_error(spec: str) -> None:
    with pytest.raises(ConfigError, match="CLUSTER_SPEC is not what Vertex AI sets"):
        torchrun_command(spec, 1, [])


def test_without_a_cluster_spec_the_message_names_the_command_for_one_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CLUSTER_SPEC", raising=False)
    with pytest.raises(ConfigError, match="On one: animals train"):
        main([])


def test_a_single_process_is_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "LOCAL_RANK", "NODE_RANK"):
        monkeypatch.delenv(name, raising=False)
    assert is_first_process()
    monkeypatch.setenv("RANK", "1")
    assert not is_first_process()
