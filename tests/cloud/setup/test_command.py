"""`invoke gcp-setup`, before a stand-in for gcloud: on an empty project, on a full one, and where things fail."""

import itertools
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from animals.cloud.gcloud import Gcloud
from animals.cloud.setup import alerting, secrets
from animals.cloud.setup.command import set_up as make_all
from animals.cloud.setup.steps import Setup, Step, run_steps
from animals.cloud.target import Target
from animals.errors import CloudError, ConfigError
from tests.support.fake_gcloud import FakeGcloud
from tests.support.flags import Flags
from tests.support.projects import CHANNEL, EMAIL, NUMBER, PROJECT, changes, deployed, empty, filled

GITHUB = "me/animals"


@pytest.fixture(autouse=True)
def _somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written goes there, not into the repository."""
    monkeypatch.chdir(tmp_path)


def set_up(*, github: str = GITHUB, email: str = EMAIL, dry_run: bool = False) -> None:
    gcloud = Gcloud(dry_run=dry_run, waits=())
    make_all(Target(project=PROJECT), gcloud, github=github, email=email)


@pytest.fixture
def full(gcloud: FakeGcloud) -> FakeGcloud:
    """After a first run in a project in which everything is deployed."""
    empty(gcloud)
    deployed(gcloud)
    set_up()
    filled(gcloud, gcloud.calls)
    gcloud.forget()
    return gcloud


def test_a_second_run_changes_nothing_and_says_what_is_left_to_do_at_github(
    full: FakeGcloud, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    set_up()
    assert [str(call) for call in changes(full)] == []
    printed = capsys.readouterr().out
    assert "Everything exists already; nothing was changed." in printed
    commands = [shlex.split(line) for line in printed.splitlines() if line.startswith("gh variable set")]
    assert {words[3]: words[7] for words in commands} == {
        "GCP_PROJECT": PROJECT,
        "GCP_REGION": "europe-west1",
        "GCP_WORKLOAD_IDENTITY_PROVIDER": (
            f"projects/{NUMBER}/locations/global/workloadIdentityPools/github/providers/github"
        ),
        "GCP_DEPLOYER": f"animals-deployer@{PROJECT}.iam.gserviceaccount.com",
        "GCP_DATA_READER": f"animals-reader@{PROJECT}.iam.gserviceaccount.com",
    }


def test_a_dry_run_prints_what_a_first_run_does_and_needs_no_gcloud(
    gcloud: FakeGcloud,
    flags: Flags,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    empty(gcloud)
    deployed(gcloud)
    set_up()
    calls = gcloud.calls
    flags.check(call.words for call in calls)
    for call in calls:
        if call.has("buckets", "create") or call.has("buckets", "update"):
            assert {"--public-access-prevention", "--uniform-bucket-level-access"} <= set(call.words)
        assert not {"allUsers", "allAuthenticatedUsers", "keys"} & set(re.split("[ :=]", str(call)))

    capsys.readouterr()
    monkeypatch.setenv("PATH", str(tmp_path))
    set_up(dry_run=True)
    printed = capsys.readouterr().out.partition("# == For you to do")[0]
    known = {"PROJECT_NUMBER": NUMBER, "notificationChannels/CHANNEL": CHANNEL.partition("/")[2].partition("/")[2]}
    known["host=PAGE"] = "host=animals-frontend-1.run.app"
    for placeholder, value in known.items():
        printed = printed.replace(placeholder, value)
    lines = printed.splitlines()
    commands = [line.rpartition(" | ")[2] for line in lines if line and not line.startswith("#")]
    assert {tuple(shlex.split(command)) for command in commands} == {call.words for call in calls}
    purposes = [before for before, line in itertools.pairwise(lines) if line.startswith(("gcloud", "python3"))]
    assert all(re.fullmatch(r"# [a-z].+", purpose) for purpose in purposes)


def test_the_signing_key_is_random_never_shown_and_kept(gcloud: FakeGcloud, capsys: pytest.CaptureFixture[str]) -> None:
    def add_key() -> list[str]:
        gcloud.forget()
        run_steps((Step("secrets", secrets.secrets),), Setup(Target(project=PROJECT), Gcloud(waits=())))
        return [call.stdin for call in gcloud.calls if call.stdin]

    empty(gcloud)
    (key,) = add_key()
    assert re.fullmatch(r"[0-9a-f]{64}\n", key)
    printed = capsys.readouterr()
    assert key.strip() not in printed.out + printed.err + " ".join(map(str, gcloud.calls))
    assert add_key() != [key]
    gcloud.answer("versions", "list", "animals-signing-key", stdout="1\n")
    assert add_key() == []


def test_a_failed_step_is_named_and_the_others_are_done_except_those_that_need_a_deployment(
    gcloud: FakeGcloud, capsys: pytest.CaptureFixture[str]
) -> None:
    empty(gcloud)
    mapping = "ERROR: (gcloud.builds.triggers.create.github) FAILED_PRECONDITION: Repository mapping does not exist."
    gcloud.answer("triggers", "create", "github", stderr=mapping, code=1)
    with pytest.raises(CloudError, match=r"Failed: Builds on a push.*run the same command again"):
        set_up()
    printed = capsys.readouterr()
    assert "Repository mapping does not exist" in printed.err
    assert gcloud.called("scheduler", "jobs", "create")
    assert gcloud.called("dashboards", "create")
    assert not gcloud.called("uptime", "create")
    assert not gcloud.called("run", "jobs", "add-iam-policy-binding")
    assert printed.out.count("Run this again after the first deployment") == 2


def test_a_run_after_a_failure_does_what_is_missing(gcloud: FakeGcloud) -> None:
    empty(gcloud)
    full_disk = "ERROR: (gcloud.storage.buckets.update) HTTPError 503: try again"
    gcloud.answer("buckets", "update", stderr=full_disk, code=1, times=1)
    with pytest.raises(CloudError):
        set_up()
    filled(gcloud, [call for call in gcloud.calls if not call.has("buckets", "update", f"gs://{PROJECT}-animals")])
    bare = {"iamConfiguration": {}, "name": f"{PROJECT}-animals"}
    gcloud.answer("buckets", "describe", f"gs://{PROJECT}-animals", stdout=bare)
    gcloud.forget()
    set_up()
    (change,) = changes(gcloud)
    assert change.has("buckets", "update", f"gs://{PROJECT}-animals")


@pytest.mark.parametrize(
    ("response", "message"),
    [
        ({"stderr": "ERROR: You do not currently have an active account selected.", "code": 1}, "gcloud auth login"),
        ({"stdout": {"projectNumber": NUMBER, "lifecycleState": "DELETE_REQUESTED"}}, "gcloud projects undelete"),
    ],
)
def test_without_a_project_or_an_account_nothing_else_is_tried(
    gcloud: FakeGcloud, response: dict[str, Any], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    gcloud.answer(**response)
    with pytest.raises(CloudError):
        set_up()
    assert message in capsys.readouterr().err
    assert len(gcloud.calls) == 1


def test_without_a_repository_nothing_is_bound_to_one(gcloud: FakeGcloud, capsys: pytest.CaptureFixture[str]) -> None:
    empty(gcloud)
    set_up(github="", email="")
    for words in (("workload-identity-pools",), ("triggers",), ("channels",)):
        assert not gcloud.called(*words)
    assert gcloud.called("policies", "create")
    assert not [call for call in gcloud.calls if "--notification-channels" in str(call)]
    output = capsys.readouterr().out
    assert "Pass --github OWNER/REPO" in output
    assert "Pass --email ADDRESS" in output


def test_no_alert_is_created_that_would_reach_nobody(gcloud: FakeGcloud) -> None:
    empty(gcloud)
    gcloud.answer("channels", "list", stdout=[])
    with pytest.raises(CloudError, match="Failed: Alerts"):
        run_steps((Step("Alerts", alerting.alerts),), Setup(Target(project=PROJECT), Gcloud(waits=()), email=EMAIL))
    assert not gcloud.called("policies", "create")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("github", name) for name in ("animals", "https://github.com/me/animals", "me/..", "me/a b", "me/a'b")),
        *(("email", address) for address in ("me", "me@example", "me@example.org,you@example.org")),
    ],
)
def test_an_impossible_repository_or_address_is_named(option: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"--{option} is "):
        make_all(Target(project=PROJECT), Gcloud(dry_run=True), **{option: value})
