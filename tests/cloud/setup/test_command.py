"""`invoke gcp-setup`, before a stand-in for gcloud: on an empty project, on a full one, and where things fail."""

import itertools
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from animals.cloud.gcloud import Gcloud
from animals.cloud.setup.command import set_up as make_all
from animals.cloud.target import Target
from animals.errors import CloudError, ConfigError
from tests.support.flags import Flags
from tests.support.projects import CHANNEL, EMAIL, NUMBER, PROJECT, changes, deployed, empty, filled
from tests.support.recorder import Recorder

GITHUB = "somebody/animals"
ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written goes there, not into the repository."""
    monkeypatch.chdir(tmp_path)


def set_up(*, github: str = GITHUB, email: str = EMAIL, dry_run: bool = False) -> None:
    gcloud = Gcloud(dry_run=dry_run, waits=())
    make_all(Target(project=PROJECT), gcloud, github=github, email=email)


@pytest.fixture
def full(recorder: Recorder) -> Recorder:
    """After a first run in a project in which everything is deployed."""
    empty(recorder)
    deployed(recorder)
    set_up()
    filled(recorder, recorder.calls)
    recorder.forget()
    return recorder


def test_an_empty_project_gets_everything_and_a_second_run_changes_nothing(
    full: Recorder, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    set_up()
    assert [str(call) for call in changes(full)] == []
    assert "Everything exists already; nothing was changed." in capsys.readouterr().out


def test_gcloud_knows_every_flag(recorder: Recorder, flags: Flags) -> None:
    empty(recorder)
    deployed(recorder)
    set_up()
    flags.check(call.words for call in recorder.calls)


def test_a_dry_run_prints_what_a_first_run_does_and_needs_no_gcloud(
    recorder: Recorder, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty(recorder)
    deployed(recorder)
    set_up()
    capsys.readouterr()
    monkeypatch.setenv("PATH", str(tmp_path))
    set_up(dry_run=True)
    printed = capsys.readouterr().out.partition("# == For you to do")[0]
    known = {"PROJECT_NUMBER": NUMBER, "notificationChannels/CHANNEL": CHANNEL.partition("/")[2].partition("/")[2]}
    known["host=PAGE"] = "host=animals-frontend-1.run.app"
    for placeholder, value in known.items():
        printed = printed.replace(placeholder, value)
    lines = [line.rpartition(" | ")[2] for line in printed.splitlines() if line and not line.startswith("#")]
    ran = {call.words for call in recorder.calls}
    assert {tuple(shlex.split(line)) for line in lines} == ran


def test_each_group_of_a_dry_run_says_what_it_is_for(capsys: pytest.CaptureFixture[str]) -> None:
    set_up(dry_run=True)
    lines = capsys.readouterr().out.partition("# == For you to do")[0].splitlines()
    told = [before for before, line in itertools.pairwise(lines) if line.startswith(("gcloud", "python3"))]
    assert len(told) > 50
    assert all(re.fullmatch(r"# [a-z].+", before) for before in told)


def test_the_command_line_prints_a_dry_run() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "animals", "gcp-setup", "--project", PROJECT, "--region", "us-east1", "--dry-run"],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PATH": "", "PYTHONPATH": str(ROOT / "src")},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "--location=us-east1" in done.stdout
    assert done.stderr == ""


def test_everything_is_private(full: Recorder, recorder: Recorder) -> None:
    set_up()
    empty(recorder)
    set_up()
    buckets = [call for call in changes(full) if call.has("buckets", "create") or call.has("buckets", "update")]
    assert len(buckets) == 4
    for call in buckets:
        assert {"--public-access-prevention", "--uniform-bucket-level-access"} <= set(call.words)
    assert not [call for call in full.calls if "allUsers" in str(call) or "allAuthenticatedUsers" in str(call)]
    assert not [call for call in full.calls if "keys" in call.words]  # of service accounts, in files


def test_the_signing_key_is_random_and_seen_by_nobody(recorder: Recorder, capsys: pytest.CaptureFixture[str]) -> None:
    empty(recorder)
    set_up()
    (given,) = [call.stdin for call in recorder.calls if call.stdin]
    assert re.fullmatch(r"[0-9a-f]{64}\n", given)
    assert not [call for call in recorder.calls if given.strip() in str(call)]
    printed = capsys.readouterr()
    assert given.strip() not in printed.out + printed.err
    recorder.forget()
    set_up()
    assert [call.stdin for call in recorder.calls if call.stdin] != [given]


def test_a_signing_key_that_is_there_is_kept(recorder: Recorder) -> None:
    empty(recorder)
    recorder.answer("versions", "list", "animals-signing-key", stdout="1\n")
    set_up()
    assert not recorder.called("versions", "add", "animals-signing-key")


def test_what_fails_is_named_and_keeps_nothing_else_from_being_made(
    recorder: Recorder, capsys: pytest.CaptureFixture[str]
) -> None:
    empty(recorder)
    mapping = "ERROR: (gcloud.builds.triggers.create.github) FAILED_PRECONDITION: Repository mapping does not exist."
    recorder.answer("triggers", "create", "github", stderr=mapping, code=1)
    with pytest.raises(CloudError, match=r"Failed: Builds on a push.*run the same command again"):
        set_up()
    assert "Repository mapping does not exist" in capsys.readouterr().err
    assert recorder.called("scheduler", "jobs", "create")
    assert recorder.called("dashboards", "create")


def test_a_run_that_failed_half_way_goes_on(recorder: Recorder) -> None:
    empty(recorder)
    full_disk = "ERROR: (gcloud.storage.buckets.update) HTTPError 503: try again"
    recorder.answer("buckets", "update", stderr=full_disk, code=1, times=1)
    with pytest.raises(CloudError):
        set_up()
    filled(recorder, [call for call in recorder.calls if not call.has("buckets", "update", f"gs://{PROJECT}-animals")])
    bare = {"iamConfiguration": {}, "name": f"{PROJECT}-animals"}
    recorder.answer("buckets", "describe", f"gs://{PROJECT}-animals", stdout=bare)
    recorder.forget()
    set_up()
    (change,) = changes(recorder)
    assert change.has("buckets", "update", f"gs://{PROJECT}-animals")


def test_who_is_not_logged_in_is_told_so_once(recorder: Recorder, capsys: pytest.CaptureFixture[str]) -> None:
    recorder.answer(stderr="ERROR: You do not currently have an active account selected.", code=1)
    with pytest.raises(CloudError):
        set_up()
    assert "gcloud auth login" in capsys.readouterr().err
    assert len(recorder.calls) == 1


def test_a_project_that_is_being_deleted_is_refused(recorder: Recorder, capsys: pytest.CaptureFixture[str]) -> None:
    recorder.answer("projects", stdout={"projectNumber": NUMBER, "lifecycleState": "DELETE_REQUESTED"})
    with pytest.raises(CloudError):
        set_up()
    assert "gcloud projects undelete" in capsys.readouterr().err
    assert not changes(recorder)


def test_before_the_first_deployment_it_says_what_waits_for_it(
    recorder: Recorder, capsys: pytest.CaptureFixture[str]
) -> None:
    empty(recorder)
    set_up()
    assert not recorder.called("uptime", "create")
    assert not recorder.called("run", "jobs", "add-iam-policy-binding")
    assert capsys.readouterr().out.count("Run this again after the first deployment") == 2


def test_without_a_repository_nothing_is_bound_to_one(recorder: Recorder, capsys: pytest.CaptureFixture[str]) -> None:
    empty(recorder)
    set_up(github="", email="")
    for words in (("workload-identity-pools",), ("triggers",), ("channels",)):
        assert not recorder.called(*words)
    assert recorder.called("policies", "create")
    assert not [call for call in recorder.calls if "--notification-channels" in str(call)]
    said = capsys.readouterr().out
    assert "Pass --github OWNER/REPO" in said
    assert "Pass --email ADDRESS" in said


def test_no_alert_is_made_that_would_reach_nobody(recorder: Recorder) -> None:
    empty(recorder)
    recorder.answer("channels", "list", stdout=[])
    with pytest.raises(CloudError, match=r"Failed: Alerts\."):
        set_up()
    assert not recorder.called("policies", "create")


def test_it_says_what_github_must_know(full: Recorder, capsys: pytest.CaptureFixture[str]) -> None:
    set_up()
    assert full.calls
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("gh variable set")]
    told = {words[3]: words[7] for words in map(shlex.split, lines)}
    assert told == {
        "GCP_PROJECT": PROJECT,
        "GCP_REGION": "europe-west1",
        "GCP_WORKLOAD_IDENTITY_PROVIDER": (
            f"projects/{NUMBER}/locations/global/workloadIdentityPools/github/providers/github"
        ),
        "GCP_DEPLOYER": f"animals-deployer@{PROJECT}.iam.gserviceaccount.com",
        "GCP_DATA_READER": f"animals-reader@{PROJECT}.iam.gserviceaccount.com",
    }


@pytest.mark.parametrize("github", ["animals", "https://github.com/me/animals", "me/..", "me/a b", "me/a'b"])
def test_a_repository_must_be_named_as_github_names_it(github: str) -> None:
    with pytest.raises(ConfigError, match="OWNER/REPO"):
        set_up(github=github, dry_run=True)


@pytest.mark.parametrize("email", ["me", "me@example", "me@example.org,you@example.org"])
def test_an_address_must_be_one(email: str) -> None:
    with pytest.raises(ConfigError, match="--email"):
        set_up(email=email, dry_run=True)
