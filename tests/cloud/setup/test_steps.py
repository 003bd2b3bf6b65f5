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
from tests.support.fake_gcloud import FakeGcloud
from tests.support.flags import Flags
from tests.support.projects import CHANNEL, EMAIL, NUMBER, PROJECT, changes, empty, filled

BUCKET = f"gs://{PROJECT}-animals"


@pytest.fixture(autouse=True)
def _somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def go(step: Callable[..., Any], *, email: str = EMAIL) -> None:
    setup = Setup(Target(project=PROJECT), Gcloud(waits=()), github="me/animals", email=email, number=NUMBER)
    run_steps((Step("one", step),), setup)


@pytest.fixture
def made(gcloud: FakeGcloud) -> Callable[[Callable[..., Any]], FakeGcloud]:
    """What a step makes is there."""

    def make(step: Callable[..., Any]) -> FakeGcloud:
        empty(gcloud)
        go(step, email="")
        filled(gcloud, gcloud.calls)
        gcloud.forget()
        return gcloud

    return make


Made = Callable[[Callable[..., Any]], FakeGcloud]

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
def test_a_bucket_with_other_settings_is_updated(gcloud: FakeGcloud, wrong: dict[str, Any]) -> None:
    gcloud.answer("buckets", "describe", stdout=RIGHT | wrong)
    go(buckets.animals)
    (change,) = changes(gcloud)
    assert change.has("buckets", "update", BUCKET, "--public-access-prevention", "--versioning")


def test_a_bucket_whose_rules_are_in_another_order_is_left_alone(gcloud: FakeGcloud) -> None:
    gcloud.answer("buckets", "describe", stdout=RIGHT | {"lifecycle": {"rule": RULES["rule"][::-1]}})
    go(buckets.animals)
    assert changes(gcloud) == []


def test_a_deleted_pool_and_provider_are_restored(made: Made, flags: Flags) -> None:
    gcloud = made(federation.pool)
    provider = json.loads(gcloud.response("providers", "describe"))
    gcloud.answer("workload-identity-pools", "describe", stdout={"state": "DELETED"})
    gcloud.answer("providers", "describe", stdout=provider | {"state": "DELETED"})
    go(federation.pool)
    pool, back = changes(gcloud)
    assert pool.has("workload-identity-pools", "undelete", "github")
    assert back.has("providers", "undelete", "github")
    flags.check([pool.words, back.words])


def test_main_alone_deploys_and_any_branch_reads_pictures(gcloud: FakeGcloud) -> None:
    empty(gcloud)
    go(federation.members)
    pool = f"principalSet://iam.googleapis.com/projects/{NUMBER}/locations/global/workloadIdentityPools/github"
    reader, deployer = changes(gcloud)
    assert reader.has(
        f"animals-reader@{PROJECT}.iam.gserviceaccount.com", f"--member={pool}/attribute.repository/me/animals"
    )
    assert deployer.has(
        f"animals-deployer@{PROJECT}.iam.gserviceaccount.com", f"--member={pool}/attribute.ref/refs/heads/main"
    )


@pytest.mark.parametrize(
    ("step", "read", "wrong", "update"),
    [
        (
            federation.pool,
            ("providers", "describe"),
            {"attributeCondition": "assertion.repository=='you/old'"},
            ("update-oidc", "--attribute-condition=assertion.repository=='me/animals'"),
        ),
        (
            automation.schedule,
            ("scheduler", "jobs", "describe"),
            {"schedule": "0 0 1 * *"},
            ("scheduler", "jobs", "update", "http", "animals-check", f"--schedule={automation.SCHEDULE}"),
        ),
        (
            alerting.metrics,
            ("metrics", "describe", "animals_accuracy"),
            {"filter": "severity=ERROR"},
            ("logging", "metrics", "update", "animals_accuracy"),
        ),
        (images.repository, ("repositories", "describe"), {"cleanupPolicyDryRun": True}, ("set-cleanup-policies",)),
        (images.repository, ("repositories", "describe"), {"cleanupPolicies": {}}, ("set-cleanup-policies",)),
        (
            images.repository,
            ("repositories", "describe"),
            {"vulnerabilityScanningConfig": {"enablementConfig": "INHERITED"}},
            ("artifacts", "repositories", "update"),
        ),
    ],
)
def test_a_resource_with_other_settings_is_updated(
    made: Made, flags: Flags, step: Callable[..., Any], read: tuple[str, ...], wrong: dict[str, Any], update: list[str]
) -> None:
    gcloud = made(step)
    go(step, email="")
    assert changes(gcloud) == []
    gcloud.answer(*read, stdout=json.loads(gcloud.response(*read)) | wrong)
    go(step, email="")
    (change,) = changes(gcloud)
    assert change.has(*update)
    flags.check([change.words])


def test_an_alert_whose_file_changed_is_updated_and_keeps_its_channels(made: Made, flags: Flags) -> None:
    gcloud = made(alerting.alerts)
    policies = json.loads(gcloud.response("policies", "list"))
    theirs = f"projects/{PROJECT}/notificationChannels/5"
    policies[0] |= {"userLabels": {"sha": "0000"}, "notificationChannels": [theirs]}
    gcloud.answer("policies", "list", stdout=policies)
    go(alerting.alerts, email="")
    (change,) = changes(gcloud)
    assert change.has("policies", "update", policies[0]["name"], f"--set-notification-channels={theirs}")
    flags.check([change.words])


def test_a_new_channel_is_added_to_those_of_each_alert(made: Made) -> None:
    gcloud = made(alerting.alerts)
    policies = json.loads(gcloud.response("policies", "list"))
    theirs = f"projects/{PROJECT}/notificationChannels/5"
    gcloud.answer("policies", "list", stdout=[{**one, "notificationChannels": [theirs]} for one in policies])
    gcloud.answer("channels", "list", stdout=[{"name": CHANNEL, "labels": {"email_address": EMAIL}}])
    go(alerting.alerts)
    assert len(changes(gcloud)) == len(policies)
    assert all(f"--set-notification-channels={theirs},{CHANNEL}" in call.words for call in changes(gcloud))


def test_a_dashboard_whose_file_changed_is_updated(made: Made, flags: Flags) -> None:
    gcloud = made(alerting.dashboard)
    (found,) = json.loads(gcloud.response("dashboards", "list"))
    gcloud.answer("dashboards", "list", stdout=[found | {"labels": {"sha": "0000"}, "etag": "e7"}])
    go(alerting.dashboard)
    (change,) = changes(gcloud)
    assert change.has("dashboards", "update", found["name"])
    assert json.loads(Path("build/cloud/dashboard.json").read_text(encoding="utf-8"))["etag"] == "e7"
    flags.check([change.words])


def test_a_dashboard_that_cannot_be_written_is_an_error(gcloud: FakeGcloud) -> None:
    Path("build").write_text("no folder", encoding="utf-8")
    with pytest.raises(CloudError, match="Failed: one"):
        go(alerting.dashboard)
    assert changes(gcloud) == []
