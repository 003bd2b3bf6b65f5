"""Single steps, where something is there but not as it should be."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from animals.cloud.gcloud import Gcloud
from animals.cloud.setup import alerting, automation, buckets, federation, images
from animals.cloud.setup.steps import Setup, Step, run_steps
from animals.cloud.target import Target
from animals.errors import CloudError
from tests.support.flags import Flags
from tests.support.projects import CHANNEL, EMAIL, NUMBER, PROJECT, changes, empty, filled
from tests.support.recorder import Recorder

BUCKET = f"gs://{PROJECT}-animals"


@pytest.fixture(autouse=True)
def _somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def go(step: Callable[..., Any], *, email: str = EMAIL) -> None:
    setup = Setup(Target(project=PROJECT), Gcloud(waits=()), github="me/animals", email=email, number=NUMBER)
    run_steps((Step("one", step),), setup)


@pytest.fixture
def made(recorder: Recorder) -> Callable[[Callable[..., Any]], Recorder]:
    """What a step makes is there."""

    def make(step: Callable[..., Any]) -> Recorder:
        empty(recorder)
        go(step, email="")
        filled(recorder, recorder.calls)
        recorder.forget()
        return recorder

    return make


Made = Callable[[Callable[..., Any]], Recorder]

PRIVATE = {"publicAccessPrevention": "enforced", "uniformBucketLevelAccess": {"enabled": True}}
RULES = json.loads(buckets.RULES["animals"].read_text(encoding="utf-8"))
RIGHT = {"iamConfiguration": PRIVATE, "versioning": {"enabled": True}, "lifecycle": RULES}


@pytest.mark.parametrize(
    "wrong",
    [
        {"iamConfiguration": PRIVATE | {"publicAccessPrevention": "inherited"}},
        {"iamConfiguration": PRIVATE | {"uniformBucketLevelAccess": {"enabled": False}}},
        {"versioning": {"enabled": False}},
        {"lifecycle": {"rule": RULES["rule"][1:]}},
        {"lifecycle": {}},
    ],
)
def test_a_bucket_that_is_not_as_it_should_be_is_put_right(recorder: Recorder, wrong: dict[str, Any]) -> None:
    recorder.answer("buckets", "describe", stdout=RIGHT | wrong)
    go(buckets.animals)
    (change,) = changes(recorder)
    assert change.has("buckets", "update", BUCKET, "--public-access-prevention", "--versioning")


def test_a_bucket_whose_rules_are_in_another_order_is_left_alone(recorder: Recorder) -> None:
    recorder.answer("buckets", "describe", stdout=RIGHT | {"lifecycle": {"rule": RULES["rule"][::-1]}})
    go(buckets.animals)
    assert changes(recorder) == []


@pytest.mark.parametrize(
    ("wrong", "verb"),
    [
        ({"cleanupPolicyDryRun": True}, "set-cleanup-policies"),
        ({"cleanupPolicies": {}}, "set-cleanup-policies"),
        ({"vulnerabilityScanningConfig": {"enablementConfig": "INHERITED"}}, "update"),
    ],
)
def test_the_repository_is_put_right(made: Made, flags: Flags, wrong: dict[str, Any], verb: str) -> None:
    recorder = made(images.repository)
    assert changes(recorder) == []
    found = json.loads(recorder.response("repositories", "describe"))
    recorder.answer("repositories", "describe", stdout=found | wrong)
    go(images.repository)
    (change,) = changes(recorder)
    assert change.has("artifacts", "repositories", verb)
    flags.check([change.words])


def test_another_repository_takes_the_place_of_the_one_that_was_trusted(made: Made, flags: Flags) -> None:
    recorder = made(federation.pool)
    provider = json.loads(recorder.response("providers", "describe"))
    recorder.answer(
        "providers", "describe", stdout=provider | {"attributeCondition": "assertion.repository=='you/old'"}
    )
    go(federation.pool)
    (change,) = changes(recorder)
    assert change.has("update-oidc", "--attribute-condition=assertion.repository=='me/animals'")
    flags.check([change.words])


def test_what_was_deleted_in_the_last_thirty_days_is_taken_back(made: Made, flags: Flags) -> None:
    recorder = made(federation.pool)
    provider = json.loads(recorder.response("providers", "describe"))
    recorder.answer("workload-identity-pools", "describe", stdout={"state": "DELETED"})
    recorder.answer("providers", "describe", stdout=provider | {"state": "DELETED"})
    go(federation.pool)
    pool, back = changes(recorder)
    assert pool.has("workload-identity-pools", "undelete", "github")
    assert back.has("providers", "undelete", "github")
    flags.check([pool.words, back.words])


def test_main_alone_deploys_and_any_branch_reads_pictures(recorder: Recorder) -> None:
    empty(recorder)
    go(federation.members)
    pool = f"principalSet://iam.googleapis.com/projects/{NUMBER}/locations/global/workloadIdentityPools/github"
    reader, deployer = changes(recorder)
    assert reader.has(
        f"animals-reader@{PROJECT}.iam.gserviceaccount.com", f"--member={pool}/attribute.repository/me/animals"
    )
    assert deployer.has(
        f"animals-deployer@{PROJECT}.iam.gserviceaccount.com", f"--member={pool}/attribute.ref/refs/heads/main"
    )


def test_a_check_at_another_hour_is_brought_back_to_its_own(made: Made, flags: Flags) -> None:
    recorder = made(automation.schedule)
    job = json.loads(recorder.response("scheduler", "jobs", "describe"))
    recorder.answer("scheduler", "jobs", "describe", stdout=job | {"schedule": "0 0 1 * *"})
    go(automation.schedule)
    (change,) = changes(recorder)
    assert change.has("scheduler", "jobs", "update", "http", "animals-check", f"--schedule={automation.SCHEDULE}")
    flags.check([change.words])


def test_an_alert_whose_file_changed_is_brought_up_to_date_and_keeps_who_hears_of_it(made: Made, flags: Flags) -> None:
    recorder = made(alerting.alerts)
    policies = json.loads(recorder.response("policies", "list"))
    theirs = f"projects/{PROJECT}/notificationChannels/5"
    policies[0] |= {"userLabels": {"sha": "0000"}, "notificationChannels": [theirs]}
    recorder.answer("policies", "list", stdout=policies)
    go(alerting.alerts, email="")
    (change,) = changes(recorder)
    assert change.has("policies", "update", policies[0]["name"], f"--set-notification-channels={theirs}")
    flags.check([change.words])


def test_somebody_who_wants_to_hear_of_alerts_is_added_to_those_who_do(made: Made) -> None:
    recorder = made(alerting.alerts)
    policies = json.loads(recorder.response("policies", "list"))
    theirs = f"projects/{PROJECT}/notificationChannels/5"
    recorder.answer("policies", "list", stdout=[{**one, "notificationChannels": [theirs]} for one in policies])
    recorder.answer("channels", "list", stdout=[{"name": CHANNEL, "labels": {"email_address": EMAIL}}])
    go(alerting.alerts)
    assert len(changes(recorder)) == len(policies)
    assert all(f"--set-notification-channels={theirs},{CHANNEL}" in call.words for call in changes(recorder))


def test_a_dashboard_whose_file_changed_is_brought_up_to_date(made: Made, flags: Flags) -> None:
    recorder = made(alerting.dashboard)
    (found,) = json.loads(recorder.response("dashboards", "list"))
    recorder.answer("dashboards", "list", stdout=[found | {"labels": {"sha": "0000"}, "etag": "e7"}])
    go(alerting.dashboard)
    (change,) = changes(recorder)
    assert change.has("dashboards", "update", found["name"])
    assert json.loads(Path("build/cloud/dashboard.json").read_text(encoding="utf-8"))["etag"] == "e7"
    flags.check([change.words])


def test_a_metric_that_looks_for_something_else_is_brought_up_to_date(made: Made, flags: Flags) -> None:
    recorder = made(alerting.metrics)
    found = json.loads(recorder.response("metrics", "describe", "animals_accuracy"))
    recorder.answer("metrics", "describe", "animals_accuracy", stdout=found | {"filter": "severity=ERROR"})
    go(alerting.metrics)
    (change,) = changes(recorder)
    assert change.has("logging", "metrics", "update", "animals_accuracy")
    flags.check([change.words])


def test_a_dashboard_that_cannot_be_written_is_said_so(recorder: Recorder) -> None:
    Path("build").write_text("no folder", encoding="utf-8")
    with pytest.raises(CloudError, match="Failed: one"):
        go(alerting.dashboard)
    assert changes(recorder) == []
