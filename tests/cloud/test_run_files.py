"""The services in cloudbuild_files/run/, held to what Cloud Run takes, and to what the code and the reports say."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from animals.cloud.deploy import SERVICES, traffic_targets
from animals.cloud.target import BACKEND, CHECK, FRONTEND, SIGNING_KEY, Target
from animals.cloud.template import FILES, fill
from animals.config.settings import ServerSettings
from animals.frontend.settings import PageSettings
from animals.monitoring.settings import ReportSettings
from animals.monitoring.trigger import TriggerSettings, open_trigger
from animals.serving.middleware import auth
from animals.serving.settings import BackendSettings
from tests.support.flags import GCLOUD

ROOT = Path(__file__).parents[2]
TARGET = Target(project="my-animals")
PLACEHOLDERS = {
    "REVISION": "animals-x-1",
    "ACCOUNT": TARGET.account("backend"),
    "IMAGE": TARGET.image("api", "abc"),
    "BUCKET": TARGET.bucket,
    "PROJECT": TARGET.project,
    "BACKEND": "https://backend",
    "REPORT": "https://report",
    "TRIGGER": TARGET.trigger,
    "TRAFFIC": traffic_targets("animals-x-0"),
}
NAMES = ("backend", "frontend", "check")

CLIENT = "lib/googlecloudsdk/generated_clients/apis/run/v1/run_v1_messages.py"
"""A private module of gcloud, which may move."""

READ = """
import json, sys
root, kind, file = sys.argv[1:]
sys.path[:0] = [root + "/lib", root + "/lib/third_party"]
from googlecloudsdk.api_lib.util import messages
from googlecloudsdk.generated_clients.apis.run.v1 import run_v1_messages
messages.DictToMessageWithErrorCheck(json.load(open(file)), getattr(run_v1_messages, kind))
"""
"""As `gcloud run services replace` reads such a file before it sends it."""


def read(name: str) -> dict[str, Any]:
    path = FILES / "run" / f"{name}.yaml"
    names = set(re.findall(r"\$\{(\w+)\}", path.read_text(encoding="utf-8")))
    filled: dict[str, Any] = yaml.safe_load(fill(path, {name: PLACEHOLDERS[name] for name in names}))
    return filled


def container(name: str) -> dict[str, Any]:
    template = read(name)["spec"]["template"]["spec"]
    inner = template["template"]["spec"] if name == "check" else template
    (only,) = inner["containers"]
    assert isinstance(only, dict)
    return only


def environment(name: str) -> dict[str, Any]:
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in container(name)["env"]}


@pytest.fixture(scope="session")
def sdk() -> tuple[str, str]:
    """Where gcloud is, and the Python that it runs on."""
    if GCLOUD is None:
        pytest.skip("gcloud is not installed, which knows what Cloud Run takes")
    command = [GCLOUD, "info", "--format=json(basic.python_location,installation.sdk_root)"]
    quiet = {**os.environ, "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "1"}
    done = subprocess.run(command, capture_output=True, encoding="utf-8", env=quiet, check=True)
    found = json.loads(done.stdout)
    python, root = found["basic"]["python_location"], found["installation"]["sdk_root"]
    if not (Path(root) / CLIENT).is_file():
        pytest.skip("this gcloud keeps its client of Cloud Run somewhere else")
    return python, root


@pytest.mark.parametrize("name", NAMES)
def test_gcloud_knows_every_field(name: str, sdk: tuple[str, str], tmp_path: Path) -> None:
    written = read(name)
    file = tmp_path / "service.json"
    for field, known in (("containers", True), ("containres", False)):
        file.write_text(json.dumps(written).replace('"containers"', f'"{field}"'), encoding="utf-8")
        command = [sdk[0], "-c", READ, sdk[1], written["kind"], str(file)]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
        assert (done.returncode == 0) is known, done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_annotations_are_those_that_cloud_run_has(name: str) -> None:
    # https://docs.cloud.google.com/run/docs/reference/yaml/v1; an unknown one would be taken, and mean nothing
    service = {"description", "ingress", "minScale"}
    revision = {"execution-environment", "startup-cpu-boost", "cpu-throttling", "sessionAffinity"}
    revision |= {"autoscaling.knative.dev/maxScale"}
    written = read(name)
    for metadata, known in (
        (written["metadata"], service),
        (written["spec"]["template"].get("metadata", {}), revision),
    ):
        given = metadata.get("annotations", {})
        assert {key.removeprefix("run.googleapis.com/") for key in given} <= known
        assert all(isinstance(value, str) for value in given.values()), "annotations are text"


@pytest.mark.parametrize(
    ("name", "called", "kinds"),
    [
        ("backend", BACKEND, [BackendSettings]),
        ("frontend", FRONTEND, [PageSettings]),
        ("check", CHECK, [ReportSettings, TriggerSettings]),
    ],
)
def test_every_variable_is_a_setting_of_what_runs_there(
    name: str, called: str, kinds: list[type[ServerSettings]]
) -> None:
    fields = [item for kind in kinds for item in kind.model_fields.items()]
    assert read(name)["metadata"]["name"] == called
    assert set(environment(name)) <= {str(field.validation_alias or f"ANIMALS_{key.upper()}") for key, field in fields}
    assert "PORT" not in environment(name), "Cloud Run sets it, and refuses who does"


def test_the_check_has_a_trigger_that_the_code_understands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANIMALS_TRIGGER", environment("check")["ANIMALS_TRIGGER"])
    assert open_trigger(TriggerSettings()) is not None
    assert container("check")["args"] == ["python", "-m", "animals", "decide"], "after the image's entry point"


@pytest.mark.parametrize("name", ["backend", "frontend"])
def test_probes_are_within_the_bounds_of_cloud_run(name: str) -> None:
    for kind in ("startupProbe", "livenessProbe"):
        probe = container(name)[kind]
        assert probe["timeoutSeconds"] <= probe["periodSeconds"]
        assert probe["periodSeconds"] * probe["failureThreshold"] <= 240
        path = probe["httpGet"]["path"]
        assert path in ({*auth.OPEN} if name == "backend" else {"/_stcore/health"}), "it has no key"


def test_only_the_page_is_public() -> None:
    assert [name for name, service in SERVICES.items() if service.public] == ["frontend"]
    for name in ("backend", "frontend"):
        assert "invoker-iam-disabled" not in str(read(name)), "that would let in everybody whatever IAM says"
    assert environment("frontend").get("ANIMALS_MAINTAINER") is None, "that page has no log-in of its own"


def test_a_connection_to_the_page_may_last_and_its_uploads_fit_the_memory() -> None:
    template = read("frontend")["spec"]["template"]
    assert template["metadata"]["annotations"]["run.googleapis.com/sessionAffinity"] == "true"
    assert template["spec"]["timeoutSeconds"] == 3600
    upload = PageSettings.model_fields["max_upload_bytes"].default
    assert template["spec"]["containerConcurrency"] * upload + 200e6 <= 2**30


def test_the_backend_signs_with_the_key_from_secret_manager_and_waits_for_slow_uploads() -> None:
    assert environment("backend")["ANIMALS_SECRET"] == {"secretKeyRef": {"name": SIGNING_KEY, "key": "latest"}}
    seconds = read("backend")["spec"]["template"]["spec"]["timeoutSeconds"]
    assert seconds > BackendSettings.model_fields["upload_seconds"].default
