"""A training is started on Vertex AI, on the first kind of machine that is to be had, by a file that it understands."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.cloud.aiplatform_v1.types import AcceleratorType, CustomJobSpec, Scheduling
from google.protobuf import json_format

from animals.cloud.template import FILES, ROOT
from animals.cloud.vertex import MACHINES, SPECS
from animals.config.compose import compose_train_config
from tests.support.command import run
from tests.support.flags import Flags
from tests.support.recorder import Recorder

CREATED = "projects/1/locations/europe-west1/customJobs/7"
NO_QUOTA = "ERROR: (gcloud.ai.custom-jobs.create) RESOURCE_EXHAUSTED: The following quota metrics exceed quota limits"
CREATE, LIST = ("ai", "custom-jobs", "create"), ("ai", "custom-jobs", "list")


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def start(*options: str) -> None:
    run("train-cloud", "--project=zoo-123", *options)


def sent(recorder: Recorder, index: int = -1) -> dict[str, Any]:
    """The file that a job was created with, as Vertex AI reads it."""
    words = recorder.called(*CREATE)[index].words
    (path,) = [word.removeprefix("--config=") for word in words if word.startswith("--config=")]
    found: dict[str, Any] = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    return found


def parsed(file: dict[str, Any]) -> CustomJobSpec:
    """As the client library understands it, which fails for an unknown key."""
    spec = CustomJobSpec()
    json_format.ParseDict(file, CustomJobSpec.pb(spec))
    return spec


def environment(spec: CustomJobSpec, pool: int = 0) -> dict[str, str]:
    return {variable.name: variable.value for variable in spec.worker_pool_specs[pool].container_spec.env}


@pytest.mark.parametrize(
    ("kind", "machine", "accelerator", "image"),
    [
        ("cpu", "n2-standard-8", AcceleratorType.ACCELERATOR_TYPE_UNSPECIFIED, "train"),
        ("l4", "g2-standard-8", AcceleratorType.NVIDIA_L4, "train_gpu"),
        ("t4", "n1-standard-8", AcceleratorType.NVIDIA_TESLA_T4, "train_gpu"),
    ],
)
def test_each_kind_of_machine_is_a_custom_job_of_vertex_ai(
    kind: str,
    machine: str,
    accelerator: AcceleratorType,
    image: str,
    recorder: Recorder,
) -> None:
    recorder.answer(*CREATE, stdout=CREATED)
    start(f"--gpu={kind}", "--tag=abc123", "trainer.epochs=5", "name=two words")
    spec = parsed(sent(recorder))
    (pool,) = spec.worker_pool_specs
    assert (pool.machine_spec.machine_type, pool.machine_spec.accelerator_type) == (machine, accelerator)
    assert pool.machine_spec.accelerator_count == (0 if kind == "cpu" else 1)
    assert pool.replica_count == 1
    assert pool.container_spec.image_uri == f"europe-west1-docker.pkg.dev/zoo-123/animals/{image}:abc123"
    given = ["trainer.epochs=5", "name=two words", "trainer.resume=auto"]
    assert list(pool.container_spec.args) == given + ([] if kind == "cpu" else ["trainer.accelerator=gpu"])
    assert spec.service_account == "animals-trainer@zoo-123.iam.gserviceaccount.com"
    assert re.fullmatch(
        r"gs://zoo-123-animals/runs/animals-train-\d{8}-\d{6}/", spec.base_output_directory.output_uri_prefix
    )
    assert environment(spec) == {"ANIMALS_BUCKET": "gs://zoo-123-animals", "WANDB_MODE": "offline"}
    assert spec.scheduling.strategy == Scheduling.Strategy.STANDARD
    assert spec.scheduling.restart_job_on_worker_restart
    assert spec.scheduling.timeout.total_seconds() == 24 * 3600


def test_a_key_that_vertex_ai_does_not_know_would_be_noticed() -> None:
    with pytest.raises(json_format.ParseError, match="restartJob"):
        parsed({"scheduling": {"restartJob": True}})


def test_the_machines_of_several_are_those_of_one() -> None:
    for kind, machine in MACHINES.items():
        text = (SPECS / f"{kind}.yaml").read_text(encoding="utf-8")
        (pool,) = yaml.safe_load(text.replace("${", "'${").replace("}", "}'"))["workerPoolSpecs"]
        assert pool["machineSpec"] == machine.spec


def test_every_file_for_vertex_ai_is_one_that_is_used() -> None:
    assert {path.stem for path in (FILES / "vertex").iterdir()} == {*MACHINES, "machines"}


def test_several_machines_are_one_that_writes_and_the_others(
    recorder: Recorder,
) -> None:
    start("--gpu=l4", "--machines=3", "--spot", "--hours=2")
    spec = parsed(sent(recorder))
    first, others = spec.worker_pool_specs
    assert (first.replica_count, others.replica_count) == (1, 2)
    assert first.machine_spec == others.machine_spec
    assert first.container_spec == others.container_spec
    assert list(first.container_spec.command) == ["python", "-m", "animals", "cluster"]
    assert {"trainer=ddp", "trainer.nodes=3", "trainer.accelerator=gpu"} <= set(first.container_spec.args)
    assert spec.scheduling.strategy == Scheduling.Strategy.SPOT
    assert spec.scheduling.timeout.total_seconds() == 2 * 3600


def test_the_trainer_understands_what_it_is_given(recorder: Recorder) -> None:
    where = ("experiment=animals10", "data.root=gs://zoo-123-animals-data/raw/raw-img")
    start("--gpu=t4", "--machines=2", *where)
    config = compose_train_config(list(parsed(sent(recorder)).worker_pool_specs[0].container_spec.args))
    assert (config.trainer.nodes, config.trainer.devices, config.trainer.resume) == (2, 0, "auto")
    start("--feedback", *where)
    config = compose_train_config(list(parsed(sent(recorder)).worker_pool_specs[0].container_spec.args))
    assert config.data.extra == "gs://zoo-123-animals/feedback"
    assert (config.promote, config.gate) == (True, True)


def test_who_is_told_of_the_version_promotes_it(recorder: Recorder) -> None:
    start("--announce=github://me/zoo", "--wandb")
    spec = parsed(sent(recorder))
    assert "promote=false" in spec.worker_pool_specs[0].container_spec.args
    assert environment(spec) == {
        "ANIMALS_BUCKET": "gs://zoo-123-animals",
        "ANIMALS_WANDB_KEY_NAME": "projects/zoo-123/secrets/animals-wandb-key/versions/latest",
        "ANIMALS_ANNOUNCE": "github://me/zoo",
        "ANIMALS_GITHUB_TOKEN_NAME": "projects/zoo-123/secrets/animals-github-token/versions/latest",
    }


def test_what_is_chosen_is_not_overruled(recorder: Recorder) -> None:
    chosen = ["trainer.resume=never", "promote=true", "gate=true"]
    start(*chosen, "--announce=github://me/zoo")
    assert list(parsed(sent(recorder)).worker_pool_specs[0].container_spec.args) == chosen


def test_it_says_what_trains_where_and_how_to_see_its_log(
    recorder: Recorder, capsys: pytest.CaptureFixture[str]
) -> None:
    recorder.answer(*CREATE, stdout=f"{CREATED}\n")
    start()
    said = capsys.readouterr().out
    assert f"trains on cpu in europe-west1: {CREATED}" in said
    assert f"gcloud ai custom-jobs stream-logs {CREATED} --project=zoo-123 --region=europe-west1" in said


def test_without_quota_the_next_kind_and_region_is_tried(
    recorder: Recorder, capsys: pytest.CaptureFixture[str]
) -> None:
    recorder.answer(*CREATE, stderr=NO_QUOTA, code=1, times=3)
    start("--gpu=l4,t4", "--also-in=europe-west4")
    tried = [call.words for call in recorder.called(*CREATE)]
    assert [(words[4 + 1], words[7].rsplit("/", 2)[1]) for words in tried] == [
        ("--region=europe-west1", "l4"),
        ("--region=europe-west4", "l4"),
        ("--region=europe-west1", "t4"),
        ("--region=europe-west4", "t4"),
    ]
    assert "Trying t4 in europe-west1 instead." in capsys.readouterr().out


def test_with_no_quota_anywhere_it_says_so(recorder: Recorder, capsys: pytest.CaptureFixture[str]) -> None:
    recorder.answer(*CREATE, stderr=NO_QUOTA, code=1)
    with pytest.raises(SystemExit) as ended:
        start("--gpu=l4,t4")
    assert ended.value.code == 1
    assert "Request more quota" in capsys.readouterr().err


@pytest.mark.parametrize(
    "said",
    [
        "PERMISSION_DENIED: aiplatform.customJobs.create",
        "Request had insufficient authentication scopes.",
        "API requires a quota project, which is not set",
    ],
)
def test_anything_else_than_quota_is_tried_once(
    said: str, recorder: Recorder, capsys: pytest.CaptureFixture[str]
) -> None:
    recorder.answer(*CREATE, stderr=f"ERROR: {said}", code=1)
    with pytest.raises(SystemExit):
        start("--gpu=l4,t4")
    assert len(recorder.called(*CREATE)) == 1
    assert said in capsys.readouterr().err


def test_a_message_that_comes_twice_starts_one_training(recorder: Recorder, capsys: pytest.CaptureFixture[str]) -> None:
    start("--request=1f0c")
    (created,) = recorder.called(*CREATE)
    assert "--labels=app=animals,request=1f0c" in created.words
    recorder.answer(*LIST, "--filter=labels.request=1f0c", stdout=CREATED)
    start("--request=1f0c")
    assert len(recorder.called(*CREATE)) == 1
    assert "already started for 1f0c" in capsys.readouterr().out


def test_followed_it_ends_as_the_training_does(recorder: Recorder, capsys: pytest.CaptureFixture[str]) -> None:
    recorder.answer(*CREATE, stdout=CREATED)
    recorder.answer("describe", CREATED, stdout="JOB_STATE_SUCCEEDED\t\n")
    start("--follow")
    assert recorder.called("stream-logs", CREATED)
    recorder.answer("describe", CREATED, stdout="JOB_STATE_FAILED\tThe replica workerpool0-0 exited with 1.\n")
    with pytest.raises(SystemExit) as ended:
        start("--follow")
    assert ended.value.code == 1
    assert "JOB_STATE_FAILED: The replica workerpool0-0 exited with 1." in capsys.readouterr().err


def test_followed_it_goes_to_the_next_where_no_machine_was_left(
    recorder: Recorder,
) -> None:
    recorder.answer(*CREATE, stdout=CREATED)
    recorder.answer("describe", stdout="JOB_STATE_SUCCEEDED\t")
    recorder.answer("describe", stdout="JOB_STATE_FAILED\tResources are insufficient in region.", times=1)
    start("--follow", "--gpu=l4,t4")
    assert len(recorder.called(*CREATE)) == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--gpu=h100"], "expected some of cpu, l4, t4"),
        (["--gpu="], "expected some of cpu, l4, t4"),
        (["--machines=0"], "Invalid value for '--machines'"),
        (["--feedback", "--machines=2"], "--feedback needs --machines 1"),
        (["--also-in=Belgium"], "'Belgium' is not a region"),
        (["--announce=https://github.com/me/zoo"], "expected github://OWNER/REPOSITORY"),
        (["--request=$(body)"], "lowercase letters, digits"),
        (["--tag=a b"], "is not an image tag"),
    ],
)
def test_an_impossible_option_is_named_before_anything_is_sent(
    options: list[str],
    said: str,
    recorder: Recorder,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        start(*options)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
    assert not recorder.calls


def dry_run(tmp_path: Path, *options: str) -> list[tuple[str, ...]]:
    """The commands that a dry run prints, where there is no gcloud."""
    words = ["-m", "animals", "train-cloud", "--project=zoo-123", "--dry-run", *options]
    done = subprocess.run(
        [sys.executable, *words],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT / "src"), "PATH": str(tmp_path)},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    return [tuple(shlex.split(line)) for line in done.stdout.splitlines() if line.startswith("gcloud")]


def test_a_dry_run_prints_every_command_with_flags_that_gcloud_knows(tmp_path: Path, flags: Flags) -> None:
    commands = dry_run(tmp_path, "--gpu=l4,t4", "--spot", "--request=1f0c", "--follow")
    assert [words[3] for words in commands] == ["list", *["create", "stream-logs", "describe"] * 2]
    flags.check(commands)


def test_a_dry_run_leaves_the_files_that_its_commands_name(tmp_path: Path) -> None:
    (words,) = dry_run(tmp_path, "--gpu=l4")
    (config,) = [word.removeprefix("--config=") for word in words if word.startswith("--config=")]
    parsed(yaml.safe_load((tmp_path / config).read_text(encoding="utf-8")))


def test_invoke_hands_everything_on() -> None:
    options = ["--project=zoo-123", "--gpu=t4", "--machines=2", "--spot", "--announce=github://me/zoo", "--dry-run"]
    done = subprocess.run(
        [sys.executable, "-m", "invoke", "train-cloud", *options, "--args", "trainer.epochs=5"],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "gcloud ai custom-jobs create --project=zoo-123 --region=europe-west1" in done.stdout
    (arguments,) = {line for line in done.stdout.splitlines() if " args: " in line}
    listed = json.loads(arguments.partition("args: ")[2].partition(" #")[0])
    assert {"trainer.epochs=5", "trainer.nodes=2"} <= set(listed)
    assert "github://me/zoo" in done.stdout
    assert "strategy: SPOT" in done.stdout
