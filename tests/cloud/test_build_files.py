"""Cloud Build's files: checked by its schema, and their scripts run with stand-ins for docker and gcloud."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from animals.cloud.target import Image, Target
from animals.cloud.template import FILES
from tests.support.command import run
from tests.support.fake_gcloud import FakeGcloud
from tests.support.flags import Flags

ROOT = Path(__file__).parents[2]
TARGET = Target(project="my-animals")
SERVICES = ("api", "frontend", "report")
SUBSTITUTIONS = {"_REGISTRY": TARGET.registry, "_TAG": "abc", "_REGION": "europe-west1", "PROJECT_ID": "my-animals"}

bash = pytest.mark.skipif(
    shutil.which("bash") is None or sys.platform == "win32", reason="Cloud Build's scripts are of bash"
)


def read(name: str) -> dict[str, Any]:
    file: dict[str, Any] = yaml.safe_load((FILES / f"{name}.yaml").read_text(encoding="utf-8"))
    return file


def step(name: str) -> dict[str, Any]:
    [found] = [step for step in read("build")["steps"] if step["id"] == name]
    assert isinstance(found, dict)
    return found


def script(name: str, tmp_path: Path, **more: str) -> "subprocess.CompletedProcess[str]":
    """Run a step's script as Cloud Build does: by its first line, with the substitutions in the environment."""
    file = tmp_path / "script"
    file.write_text(step(name)["script"], encoding="utf-8", newline="\n")
    file.chmod(0o755)
    environment = {**os.environ, **SUBSTITUTIONS, "_DEPLOY": "true", "_TRAIN_GPU": "false", **more}
    return subprocess.run([file], cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", check=False)


@pytest.mark.parametrize("name", ["build", "deploy"])
def test_a_file_fits_the_schema_runs_as_the_deployer_and_names_only_known_substitutions(name: str) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.cloudbuild"]
    done = subprocess.run([*command, str(FILES / f"{name}.yaml")], capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout
    file = read(name)
    account = file["serviceAccount"].replace("${PROJECT_ID}", "my-animals")
    assert account == f"projects/my-animals/serviceAccounts/{TARGET.account('deployer')}"
    text = "\n".join(yaml.safe_dump(one) for one in (file["substitutions"], file["serviceAccount"], file["steps"]))
    scripts = "\n".join(one.get("script", "") for one in file["steps"])
    used = set(re.findall(r"\$\{(_?[A-Z][A-Z_]*)\}", text)) | set(re.findall(r"\$\{?(_[A-Z_]+)", scripts))
    assert used <= {*file["substitutions"], "PROJECT_ID", "SHORT_SHA"}
    assert set(file["substitutions"]) <= used


def test_every_image_has_a_step_that_builds_it_from_its_dockerfile() -> None:
    for image in get_args(Image):
        words = " ".join([*step(f"build {image}").get("args", []), step(f"build {image}").get("script", "")])
        assert f"--file=dockerfiles/{image}.dockerfile" in words
        assert "type=registry" in words
        dockerfile = ROOT / "dockerfiles" / f"{image}.dockerfile"
        assert dockerfile.is_file()
        given = set(re.findall(r"--build-arg=([A-Z]+)", words))
        assert given == {"PYTHON", "REVISION"}
        known = set(re.findall(r"^ARG ([A-Z]+)", dockerfile.read_text(encoding="utf-8"), re.MULTILINE))
        assert given <= known


def test_nothing_is_deployed_before_it_was_tested_and_scanned() -> None:
    order = {one["id"]: one.get("waitFor", []) for one in read("build")["steps"]}
    before: set[str] = set()
    ahead = ["deploy"]
    while ahead:
        before |= set(order[ahead[-1]])
        ahead += order[ahead.pop()]
    assert before == {"scan", "push", "test", *(f"build {image}" for image in SERVICES), "builder"}


@bash
def test_a_critical_vulnerability_that_can_be_fixed_or_a_failed_scan_stops_the_build(
    gcloud: FakeGcloud, tmp_path: Path
) -> None:
    gcloud.answer("scan", stdout="projects/p/locations/europe/scans/1")
    gcloud.answer("list-vulnerabilities", stdout="HIGH True CVE-1\nCRITICAL False CVE-2\n")
    done = script("scan", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "api: CRITICAL False CVE-2" in done.stdout
    gcloud.answer("list-vulnerabilities", stdout="LOW False CVE-1\nCRITICAL True CVE-3\n", times=1)
    done = script("scan", tmp_path)
    assert done.returncode == 1
    assert "report: CRITICAL False CVE-2" in done.stdout, "the others are reported too"
    gcloud.answer("list-vulnerabilities", stderr="PERMISSION_DENIED", code=1)
    assert script("scan", tmp_path).returncode == 1


@bash
def test_images_without_vulnerabilities_pass(gcloud: FakeGcloud, tmp_path: Path, flags: Flags) -> None:
    for region, near in (("us-east1", "us"), ("europe-west1", "europe"), ("asia-east1", "asia")):
        gcloud.forget()
        assert script("scan", tmp_path, _REGION=region).returncode == 0
        scanned = gcloud.called("scan", "--remote", f"--location={near}")
        assert [call.words[5].rsplit("/")[-1] for call in scanned] == [f"{name}:abc" for name in SERVICES]
    flags.check([call.words for call in gcloud.calls])


DOCKER = """#!/bin/sh
case "$1 $*" in
  inspect*report) echo "$HEALTH" ;;
  inspect*) echo healthy ;;
esac
echo "$*" >> "$LOG"
"""


@bash
@pytest.mark.parametrize(("health", "code"), [("healthy", 0), ("unhealthy", 1)])
def test_an_unhealthy_image_is_not_pushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, health: str, code: int
) -> None:
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(DOCKER, encoding="utf-8")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{docker.parent}{os.pathsep}{os.environ['PATH']}")
    done = script("test", tmp_path, HEALTH=health, LOG=str(tmp_path / "log"))
    assert done.returncode == code, done.stderr
    assert f"report is {health}" in done.stdout
    log = (tmp_path / "log").read_text(encoding="utf-8")
    assert log.count("run --detach") == 3
    assert ("logs report" in log) is (code == 1)


@bash
@pytest.mark.parametrize("wanted", ["true", "false"])
def test_a_build_is_deployed_only_if_it_should_be(gcloud: FakeGcloud, tmp_path: Path, wanted: str) -> None:
    gcloud.answer("describe", stderr="PERMISSION_DENIED", code=1)
    done = script("deploy", tmp_path, _DEPLOY=wanted)
    assert done.returncode == (1 if wanted == "true" else 0)
    assert bool(gcloud.calls) is (wanted == "true")


def test_the_deployment_gets_its_variables() -> None:
    [only] = read("deploy")["steps"]
    assert (only["entrypoint"], only["args"]) == ("python3", ["-m", "animals.cloud", "deploy"])
    assert set(only["env"]) == {
        "PYTHONPATH=src",
        *(f"{name}=${{{name}}}" for name in ("PROJECT_ID", "_REGION", "_TAG")),
    }


def test_the_command_sends_a_build(gcloud: FakeGcloud, flags: Flags) -> None:
    run("build", "--project=my-animals", "--tag=abc", "--train-gpu", "--no-deploy")
    [call] = gcloud.calls
    assert call.has("builds", "submit", "--config=cloudbuild_files/build.yaml")
    assert "--substitutions=_REGION=europe-west1,_TAG=abc,_TRAIN_GPU=true,_DEPLOY=false" in call.words
    flags.check([call.words])
    with pytest.raises(SystemExit, match="2"):
        run("build", "--project=my-animals", "--tag=a tag")
    assert gcloud.calls == [call]
