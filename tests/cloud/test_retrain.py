"""A request to train again starts one training, whichever way it takes: Pub/Sub and Cloud Build, or GitHub."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from animals.cloud.gcloud import Gcloud
from animals.cloud.setup.automation import triggers
from animals.cloud.setup.steps import Setup
from animals.cloud.target import Target
from animals.cloud.template import FILES, ROOT
from animals.monitoring.trigger import RetrainRequest
from tests.support.fake_gcloud import FakeGcloud
from tests.support.workflow import JOBS, command

CREATE = ("ai", "custom-jobs", "create")
REQUEST = RetrainRequest(version="r1", bucket="gs://zoo-123-animals", reasons=('It is "time", isn\'t it? $(now)',))


def run(words: list[str], folder: Path, **variables: str) -> str:
    """Run a step as Google's image does, where there is no package but Python's own."""
    done = subprocess.run(
        [sys.executable, "-S", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), **variables},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def substitutions() -> dict[str, str]:
    """What the trigger that `invoke gcp-setup` makes hands to the build, as it is written there."""
    setup = Setup(target=Target(project="zoo-123"), gcloud=Gcloud(dry_run=True), github="me/zoo")
    (trigger,) = [made for made in triggers(setup) if "pubsub" in made.words]
    (given,) = [word for word in trigger.words if word.startswith("--substitutions=")]
    return dict(part.split("=", 1) for part in given.removeprefix("--substitutions=").split(","))


def bound(value: str, message: dict[str, Any]) -> str:
    """A value of the trigger with what it takes from a message, as Cloud Build does."""

    def found(reference: re.Match[str]) -> str:
        node: Any = {"message": {"data": message}}
        for key in reference[1].split("."):
            node = node[key]
        return str(node)

    return re.sub(r"\$\(body\.([\w.]+)\)", found, value)


def step(values: dict[str, str]) -> tuple[list[str], dict[str, str]]:
    """The words and the environment of the one step of retrain.yaml."""
    build = yaml.safe_load((FILES / "retrain.yaml").read_text(encoding="utf-8"))
    assert values.keys() <= build["substitutions"].keys() | {"PROJECT_ID"}, "Cloud Build refuses others."
    (only,) = build["steps"]
    assert only["entrypoint"] == "python3"
    filled = build["substitutions"] | values
    variables = [re.sub(r"\$\{(\w+)\}", lambda name: filled[name[1]], line) for line in only["env"]]
    return only["args"], dict(line.split("=", 1) for line in variables) | {"PYTHONPATH": str(ROOT / "src")}


def test_a_message_of_the_topic_starts_a_training_with_feedback(
    gcloud: FakeGcloud, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    message = json.loads(REQUEST.model_dump_json())
    values = {name: bound(value, message) for name, value in substitutions().items()}
    capsys.readouterr()
    words, variables = step(values | {"PROJECT_ID": "zoo-123"})
    run(words, tmp_path, **variables)
    (created,) = gcloud.called(*CREATE)
    assert f"--labels=app=animals,request={REQUEST.id}" in created.words
    spec = (tmp_path / "build/cloud/vertex/l4/l4.yaml").read_text(encoding="utf-8")
    for override in ("experiment=sample", "data.extra=gs://zoo-123-animals/feedback", "promote=false"):
        assert f'"{override}"' in spec
    assert '"github://me/zoo"' in spec

    gcloud.answer("ai", "custom-jobs", "list", f"--filter=labels.request={REQUEST.id}", stdout="there")
    assert "already" in run(words, tmp_path, **variables)
    assert len(gcloud.called(*CREATE)) == 1


def test_without_a_repository_the_trainers_own_gate_promotes(gcloud: FakeGcloud, tmp_path: Path) -> None:
    args = "experiment=animals10 data.root=gs://zoo-123-animals-data/raw"
    words, variables = step({"PROJECT_ID": "zoo-123", "_ARGS": args})
    run(words, tmp_path, **variables)
    assert len(gcloud.called(*CREATE)) == 1
    spec = (tmp_path / "build/cloud/vertex/l4/l4.yaml").read_text(encoding="utf-8")
    assert '"data.root=gs://zoo-123-animals-data/raw"' in spec
    assert '"gate=true"' in spec
    assert "ANIMALS_ANNOUNCE" not in spec


def test_an_event_at_github_does_the_same(gcloud: FakeGcloud, tmp_path: Path) -> None:
    given = {
        "vars.GCP_PROJECT": "zoo-123",
        "vars.GCP_REGION": "europe-west4",
        "github.event.client_payload.id": REQUEST.id,
        "github.repository": "me/zoo",
        "vars.ANIMALS_TRAIN_ARGS || 'experiment=sample'": "experiment=sample",
    }
    (written,) = [it["env"] for it in JOBS["retrain"]["steps"] if it.get("id") == "train"]
    variables = {
        name: re.sub(r"\$\{\{ (.+?) \}\}", lambda found: given[found[1]], value) for name, value in written.items()
    }
    run(command("retrain", "train", {})[1:], tmp_path, **variables | {"PYTHONPATH": str(ROOT / "src")})
    (created,) = gcloud.called(*CREATE)
    assert {"--region=europe-west4", f"--labels=app=animals,request={REQUEST.id}"} <= set(created.words)
    spec = (tmp_path / "build/cloud/vertex/l4/l4.yaml").read_text(encoding="utf-8")
    assert '"github://me/zoo"' in spec
    assert '"data.extra=gs://zoo-123-animals/feedback"' in spec
