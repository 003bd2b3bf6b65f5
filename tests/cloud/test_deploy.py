"""A whole deployment, with a real backend in the place of the revisions, and a stand-in for gcloud."""

import itertools
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from animals.cloud.deploy import PARTS, Deployment, Pace, revision_name
from animals.cloud.gcloud import Gcloud
from animals.cloud.target import BACKEND, FRONTEND, REPORT, Part, Target
from animals.errors import CloudError
from tests.support.cloud_run import TOKEN, CloudRunProxy, FakeCloudRun
from tests.support.command import run
from tests.support.findings import summary
from tests.support.flags import Flags
from tests.support.http import Response, json_response
from tests.support.stand_in import StandIn

TARGET = Target(project="my-animals")
PACE = Pace(watch=0.0, every=0.1, patience=0.5, pause=0.1)
OLD = f"{BACKEND}-old"


@pytest.fixture
def old(backend: int) -> Iterator[CloudRunProxy]:
    """The service's own address."""
    with CloudRunProxy(backend) as front:
        yield front


@pytest.fixture
def new(backend: int) -> Iterator[CloudRunProxy]:
    """The address of the revision with the tag."""
    with CloudRunProxy(backend) as front:
        yield front


@pytest.fixture
def others() -> Iterator[StandIn]:
    """A page, which everybody may ask, and a report function."""
    with StandIn() as service:
        service.responses = {
            "/_stcore/health": [Response(200, b"ok")],
            "/": [Response(200, b"<html>")],
            "/generate_performance_report": [json_response(summary())],
        }
        yield service


@pytest.fixture
def report(others: StandIn) -> Iterator[CloudRunProxy]:
    """The address of the report function."""
    with CloudRunProxy(others.port) as front:
        yield front


@pytest.fixture
def cloud(
    old: CloudRunProxy,
    new: CloudRunProxy,
    report: CloudRunProxy,
    others: StandIn,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> FakeCloudRun:
    """A project in which a backend serves, and nothing else."""
    monkeypatch.chdir(tmp_path)
    addresses = {"backend": (old.url, new.url), "frontend": (others.url,) * 2, "report": (report.url,) * 2}
    fake = FakeCloudRun(tmp_path / "bin", **{f"animals_{name}": both for name, both in addresses.items()})
    monkeypatch.setenv("PATH", f"{fake.folder}{os.pathsep}{os.environ['PATH']}")
    fake.serves_already(BACKEND, OLD)
    return fake


def deploy(part: Part = "backend") -> None:
    Deployment(TARGET, Gcloud(waits=()), "abc1234", PACE).deploy(part)


def test_a_healthy_backend_gets_all_traffic(
    cloud: FakeCloudRun, old: CloudRunProxy, new: CloudRunProxy, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy()
    [(serving, share)] = cloud.shares(BACKEND).items()
    assert share == 100
    assert re.fullmatch(rf"{BACKEND}-abc1234-\d{{6}}-\d{{6}}", serving)
    assert cloud.moves(BACKEND) == [f"{serving}=10,{OLD}=90", f"{serving}=100", f"{serving}=100"]
    assert ("/classify/", 200) in new.seen, "the revision was tested at the address of its tag"
    assert ("/classify/", 200) in old.seen, "and in the end at the service's own"
    assert ("/", 403) in new.seen, "a request without a token was refused"
    assert [path for path, _ in old.seen + new.seen].count("/classify/") == 2, "the repeated test stores nothing"
    tokens = cloud.called("print-identity-token", f"--audiences={old.url}")
    deployer = "--impersonate-service-account=animals-deployer@my-animals.iam.gserviceaccount.com"
    assert tokens
    assert all(deployer in call.words for call in tokens)
    printed = capsys.readouterr()
    assert TOKEN not in printed.out + printed.err


@pytest.mark.parametrize(
    ("problem", "message", "moves"),
    [
        ("broken", "/classify/ responds 500", 1),
        ("public", "responds 200 to a request without a token", 1),
        ("errors", "answered 10 of 100 requests with errors", 2),
    ],
)
def test_a_backend_with_a_problem_loses_its_traffic(
    cloud: FakeCloudRun, new: CloudRunProxy, problem: str, message: str, moves: int
) -> None:
    new.public = problem == "public"
    if problem == "broken":
        new.broken["/classify/"] = 500
    if problem == "errors":
        cloud.answer("logging", "read", stdout="200\n" * 90 + "500\n" * 10)
    with pytest.raises(CloudError, match=message):
        deploy()
    assert len(cloud.moves(BACKEND)) == moves
    assert cloud.shares(BACKEND) == {OLD: 100}


def test_a_backend_that_is_never_ready_is_explained(cloud: FakeCloudRun) -> None:
    cloud.answer("replace", stderr="The user-provided container failed the configured startup probe checks.", code=1)
    with pytest.raises(CloudError, match="not ready before a version is published"):
        deploy()


def test_only_the_page_is_public_and_only_once_it_has_passed(cloud: FakeCloudRun, others: StandIn) -> None:
    for part in PARTS:
        deploy(part)
    [public] = cloud.called("--member=allUsers")
    assert public.words[1:5] == ("run", "services", "add-iam-policy-binding", FRONTEND)
    of_page = [call for call in cloud.calls if FRONTEND in call.words]
    assert of_page[-1] == public
    page = cloud.called("--member=serviceAccount:animals-frontend@my-animals.iam.gserviceaccount.com")
    assert {call.words[4] for call in page} == {BACKEND, REPORT}
    others.responses["/_stcore/health"] = [Response(500)]
    cloud.forget()
    with pytest.raises(CloudError):
        deploy("frontend")
    assert cloud.called("--member=allUsers") == []


@pytest.mark.usefixtures("cloud")
def test_the_page_gets_the_addresses_of_the_other_two(old: CloudRunProxy, report: CloudRunProxy) -> None:
    with pytest.raises(CloudError, match="There is no animals-report yet"):
        deploy("frontend")
    deploy("report")
    deploy("frontend")
    written = yaml.safe_load(Path("build/cloud/frontend.yaml").read_text(encoding="utf-8"))
    variables = {one["name"]: one["value"] for one in written["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert variables == {"ANIMALS_BACKEND": old.url, "ANIMALS_REPORT": report.url}


def test_a_missing_tag_is_an_error(cloud: FakeCloudRun) -> None:
    described = {"status": {"url": "https://backend", "traffic": [{"revisionName": OLD, "percent": 100}]}}
    cloud.answer("describe", stdout=described)
    with pytest.raises(CloudError, match="No revision has the tag candidate any more"):
        deploy()


def test_a_report_function_gets_all_traffic_at_once(cloud: FakeCloudRun) -> None:
    cloud.serves_already(REPORT, f"{REPORT}-old")
    deploy("report")
    assert [re.sub(r"-\d{6}-\d{6}", "", move) for move in cloud.moves(REPORT)] == [f"{REPORT}-abc1234=100"] * 2
    assert cloud.called("logging") == []


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("abc1234", "-abc1234"),
        ("v1.2.0", "-v1-2-0"),
        ("My_Branch", "-my-branch"),
        ("a" * 100, "-" + "a" * 20),
        ("1.2.3-rc.1_final-of-all", "-1-2-3-rc-1-final-of"),
        ("_.", ""),
    ],
)
def test_a_revision_is_named_after_any_tag_as_cloud_run_allows(tag: str, name: str) -> None:
    revision = revision_name(BACKEND, tag)
    assert re.fullmatch(rf"{BACKEND}{name}-\d{{6}}-\d{{6}}", revision)
    assert re.fullmatch(r"[a-z][a-z0-9-]{0,61}[a-z0-9]", revision)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT between processes")
def test_ctrl_c_rolls_back(cloud: FakeCloudRun, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "animals", "deploy", "--project=my-animals", "--tag=abc", "--only=backend"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, encoding="utf-8", cwd=tmp_path, start_new_session=True)
    deadline = time.monotonic() + 60
    while not cloud.called("logging", "read"):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does
    _, output = process.communicate(timeout=30)
    assert process.returncode == 130, output
    assert output.endswith(f"was not kept: the deployment was interrupted. {OLD} has all traffic.\n")
    assert "Traceback" not in output
    assert cloud.shares(BACKEND) == {OLD: 100}


def test_a_dry_run_prints_every_command_with_its_files_and_needs_no_gcloud(
    tmp_path: Path, flags: Flags, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(tmp_path))
        run("deploy", "--project=my-animals", "--tag=abc1234", "--dry-run")
    lines = capsys.readouterr().out.splitlines()
    commands = [tuple(shlex.split(line)) for line in lines if not line.startswith("#")]
    assert {words[0] for words in commands} == {"gcloud"}
    assert all(before.startswith("# ") for before, line in itertools.pairwise(lines) if line[:1] == "g")
    files = [word for words in commands for word in words if word.endswith(".yaml")]
    assert files == [f"build/cloud/{name}.yaml" for name in ("backend", "frontend", "check")]
    for file in files:
        assert "$" not in re.sub("#.*", "", Path(file).read_text(encoding="utf-8"))
    assert Path("build/cloud/function/main.py").is_file()
    flags.check(commands)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--project=my-animals", "--tag=a b"], "'a b' is not an image tag"),
        (["--project=my-animals", "--tag=a", "--watch=-1"], "Invalid value for '--watch'"),
        (["--project=my-animals", "--tag=a", "--watch=nan"], "Invalid value for '--watch'"),
        (["--project=My Animals", "--tag=a"], "is not a project ID"),
        (["--project=my-animals"], "--tag"),
        (["--project=my-animals", "--tag=a", "--only=backends"], "'backends' is not one of"),
    ],
)
def test_a_mistake_is_named_before_anything_is_done(
    cloud: FakeCloudRun, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        run("deploy", *words)
    assert message in capsys.readouterr().err
    assert cloud.calls == []
