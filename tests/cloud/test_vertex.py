"""Start a training on Vertex AI on the first kind of machine that is available, by a file that it understands."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.cloud.aiplatform_v1.types import AcceleratorType, CustomJobSpec, Scheduling
from google.protobuf import json_format

from animals.cloud.vertex import MACHINES, SPECS
from animals.config.compose import compose_train_config
from tests.support.command import run
from tests.support.fake_gcloud import FakeGcloud
from tests.support.flags import Flags

CREATED = "projects/1/locations/europe-west1/customJobs/7"
NO_QUOTA = "ERROR: (gcloud.ai.custom-jobs.create) RESOURCE_EXHAUSTED: The following quota metrics exceed quota limits"
CREATE, LIST = ("ai", "custom-jobs", "create"), ("ai", "custom-jobs", "list")


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def start(*options: str) -> None:
    run("train-cloud", "--project=zoo-123", *options)


def sent(gcloud: FakeGcloud) -> CustomJobSpec:
    """Return the job that was created last, as Vertex AI understands it."""
    words = gcloud.called(*CREATE)[-1].words
    (path,) = [word.removeprefix("--config=") for word in words if word.startswith("--config=")]
    return parsed(yaml.safe_load(Path(path).read_text(encoding="utf-8")))


def parsed(file: dict[str, Any]) -> CustomJobSpec:
    """As the client library understands it, which fails for an unknown key."""
    spec = CustomJobSpec()
    json_format.ParseDict(file, CustomJobSpec.pb(spec))
    return spec


def environment(spec: CustomJobSpec) -> dict[str, str]:
    return {variable.name: variable.value for variable in spec.worker_pool_specs[0].container_spec.env}


@pytest.mark.parametrize(
    ("kind", "machine", "accelerator", "image"),
    [
        ("cpu", "n2-standard-8", AcceleratorType.ACCELERATOR_TYPE_UNSPECIFIED, "train"),
        ("l4", "g2-standard-8", AcceleratorType.NVIDIA_L4, "train_gpu"),
        ("t4", "n1-standard-8", AcceleratorType.NVIDIA_TESLA_T4, "train_gpu"),
    ],
)
def test_each_kind_of_machine_is_a_custom_job_of_vertex_ai(
    kind: str, machine: str, accelerator: AcceleratorType, image: str, gcloud: FakeGcloud
) -> None:
    gcloud.answer(*CREATE, stdout=CREATED)
    start(f"--gpu={kind}", "--tag=abc123", "trainer.epochs=5", "name=two words")
    spec = sent(gcloud)
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


def test_the_machines_of_several_are_those_of_one() -> None:
    for kind, machine in MACHINES.items():
        text = (SPECS / f"{kind}.yaml").read_text(encoding="utf-8")
        (pool,) = yaml.safe_load(text.replace("${", "'${").replace("}", "}'"))["workerPoolSpecs"]
        assert pool["machineSpec"] == machine.spec


def test_several_machines_are_one_that_writes_and_the_others(gcloud: FakeGcloud) -> None:
    start("--gpu=l4", "--machines=3", "--spot", "--hours=2")
    spec = sent(gcloud)
    first, others = spec.worker_pool_specs
    assert (first.replica_count, others.replica_count) == (1, 2)
    assert first.machine_spec == others.machine_spec
    assert first.container_spec == others.container_spec
    assert list(first.container_spec.command) == ["python", "-m", "animals", "cluster"]
    assert {"trainer=ddp", "trainer.nodes=3", "trainer.accelerator=gpu"} <= set(first.container_spec.args)
    assert spec.scheduling.strategy == Scheduling.Strategy.SPOT
    assert spec.scheduling.timeout.total_seconds() == 2 * 3600


def test_the_trainer_understands_what_it_is_given(gcloud: FakeGcloud) -> None:
    where = ("experiment=animals10", "data.root=gs://zoo-123-animals-data/raw/raw-img")
    start("--gpu=t4", "--machines=2", *where, "method=full")
    config = compose_train_config(list(sent(gcloud).worker_pool_specs[0].container_spec.args))
    assert (config.trainer.nodes, config.trainer.devices, config.trainer.resume) == (2, 0, "auto")
    start("--feedback", *where)
    config = compose_train_config(list(sent(gcloud).worker_pool_specs[0].container_spec.args))
    assert config.data.extra == "gs://zoo-123-animals/feedback"
    assert (config.promote, config.gate) == (True, True)


def test_the_workflow_that_is_told_of_the_version_promotes_it(gcloud: FakeGcloud) -> None:
    start("--announce=github://me/zoo", "--wandb")
    spec = sent(gcloud)
    assert "promote=false" in spec.worker_pool_specs[0].container_spec.args
    assert environment(spec) == {
        "ANIMALS_BUCKET": "gs://zoo-123-animals",
        "ANIMALS_WANDB_KEY_NAME": "projects/zoo-123/secrets/animals-wandb-key/versions/latest",
        "ANIMALS_ANNOUNCE": "github://me/zoo",
        "ANIMALS_GITHUB_TOKEN_NAME": "projects/zoo-123/secrets/animals-github-token/versions/latest",
    }


def test_given_overrides_are_kept(gcloud: FakeGcloud) -> None:
    chosen = ["trainer.resume=never", "promote=true", "gate=true"]
    start(*chosen, "--announce=github://me/zoo")
    assert list(sent(gcloud).worker_pool_specs[0].container_spec.args) == chosen


def test_it_prints_where_the_job_trains_and_the_command_for_its_log(
    gcloud: FakeGcloud, capsys: pytest.CaptureFixture[str]
) -> None:
    gcloud.answer(*CREATE, stdout=f"{CREATED}\n")
    start()
    output = capsys.readouterr().out
    assert f"trains on cpu in europe-west1: {CREATED}" in output
    assert f"gcloud ai custom-jobs stream-logs {CREATED} --project=zoo-123 --region=europe-west1" in output


def test_without_quota_the_next_kind_and_region_is_tried(
    gcloud: FakeGcloud, capsys: pytest.CaptureFixture[str]
) -> None:
    gcloud.answer(*CREATE, stderr=NO_QUOTA, code=1, times=3)
    start("--gpu=l4,t4", "--also-in=europe-west4")
    tried = [call.words for call in gcloud.called(*CREATE)]
    assert [(words[4 + 1], words[7].rsplit("/", 2)[1]) for words in tried] == [
        ("--region=europe-west1", "l4"),
        ("--region=europe-west4", "l4"),
        ("--region=europe-west1", "t4"),
        ("--region=europe-west4", "t4"),
    ]
    assert "Trying t4 in europe-west1 instead." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "message", "attempts"),
    [
        (NO_QUOTA, "Request more quota", 2),
        ("ERROR: PERMISSION_DENIED: aiplatform.customJobs.create", "PERMISSION_DENIED", 1),
        ("ERROR: Request had insufficient authentication scopes.", "insufficient authentication scopes", 1),
        ("ERROR: API requires a quota project, which is not set", "requires a quota project", 1),
    ],
)
def test_only_without_quota_another_kind_is_tried_and_the_last_error_is_shown(
    error: str, message: str, attempts: int, gcloud: FakeGcloud, capsys: pytest.CaptureFixture[str]
) -> None:
    gcloud.answer(*CREATE, stderr=error, code=1)
    with pytest.raises(SystemExit, match="1"):
        start("--gpu=l4,t4")
    assert len(gcloud.called(*CREATE)) == attempts
    assert message in capsys.readouterr().err


def test_a_message_that_comes_twice_starts_one_training(gcloud: FakeGcloud, capsys: pytest.CaptureFixture[str]) -> None:
    start("--request=1f0c")
    (created,) = gcloud.called(*CREATE)
    assert "--labels=app=animals,request=1f0c" in created.words
    gcloud.answer(*LIST, "--filter=labels.request=1f0c", stdout=CREATED)
    start("--request=1f0c")
    assert len(gcloud.called(*CREATE)) == 1
    assert "already started for 1f0c" in capsys.readouterr().out


def test_follow_ends_as_the_training_does(gcloud: FakeGcloud, capsys: pytest.CaptureFixture[str]) -> None:
    gcloud.answer(*CREATE, stdout=CREATED)
    gcloud.answer("describe", CREATED, stdout="JOB_STATE_SUCCEEDED\t\n")
    start("--follow")
    assert gcloud.called("stream-logs", CREATED)
    gcloud.answer("describe", CREATED, stdout="JOB_STATE_FAILED\tThe replica workerpool0-0 exited with 1.\n")
    with pytest.raises(SystemExit, match="1"):
        start("--follow")
    assert "JOB_STATE_FAILED: The replica workerpool0-0 exited with 1." in capsys.readouterr().err


def test_follow_tries_the_next_kind_if_no_machine_is_left(gcloud: FakeGcloud) -> None:
    gcloud.answer(*CREATE, stdout=CREATED)
    gcloud.answer("describe", stdout="JOB_STATE_SUCCEEDED\t")
    gcloud.answer("describe", stdout="JOB_STATE_FAILED\tResources are insufficient in region.", times=1)
    start("--follow", "--gpu=l4,t4")
    assert len(gcloud.called(*CREATE)) == 2


@pytest.mark.parametrize(
    ("options", "output"),
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
    options: list[str], output: str, gcloud: FakeGcloud, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        start(*options)
    assert output in capsys.readouterr().err
    assert not gcloud.calls


def test_a_dry_run_prints_every_command_with_its_files_and_needs_no_gcloud(
    tmp_path: Path, flags: Flags, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(tmp_path))
        start("--dry-run", "--gpu=l4,t4", "--spot", "--request=1f0c", "--follow")
    lines = capsys.readouterr().out.splitlines()
    commands = [tuple(shlex.split(line)) for line in lines if line.startswith("gcloud")]
    assert [words[3] for words in commands] == ["list", *["create", "stream-logs", "describe"] * 2]
    for config in [word.removeprefix("--config=") for words in commands for word in words if "--config=" in word]:
        parsed(yaml.safe_load(Path(config).read_text(encoding="utf-8")))
    flags.check(commands)
