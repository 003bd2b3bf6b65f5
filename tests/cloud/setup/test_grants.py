"""Who may do what: the table is that of the page, and holds nothing broad."""

import re
from pathlib import Path

import pytest

from animals.cloud.gcloud import Gcloud
from animals.cloud.setup.accounts import bind, expression, grants
from animals.cloud.setup.grants import GRANTS
from animals.cloud.setup.steps import Setup, Step, run_steps
from animals.cloud.target import Target
from tests.support.fake_gcloud import FakeGcloud
from tests.support.projects import PROJECT, changes, empty

PAGE = Path(__file__).parents[3] / "docs" / "design" / "cloud.md"
TARGET = Target(project=PROJECT)
TRAINER = f"serviceAccount:{TARGET.account('trainer')}"


def setup() -> Setup:
    return Setup(TARGET, Gcloud(waits=()))


def test_the_table_in_the_documentation_is_that_of_the_code() -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if re.match(r"\| [a-z]+ \| `[a-z]+\.", line)]
    assert rows == [grant.row for grant in GRANTS]


def test_nobody_has_a_basic_role_nor_power_over_a_bucket_or_a_secret() -> None:
    broad = [grant for grant in GRANTS if re.search(r"owner|editor$|^viewer|storage\.admin|objectAdmin", grant.role)]
    assert broad == []
    assert not [grant for grant in GRANTS if grant.role.startswith("secretmanager") and grant.on == "project"]


def test_no_service_has_a_role_on_the_whole_project_but_to_write_its_log() -> None:
    assert {
        (grant.account, grant.role) for grant in GRANTS if grant.on == "project" and grant.account != "deployer"
    } == {("trainer", "logging.logWriter")}


def test_only_the_names_of_objects_are_readable_in_the_whole_bucket() -> None:
    assert {grant.role for grant in GRANTS if grant.on == "bucket" and not grant.under} == {
        "storage.legacyBucketReader"
    }


def test_no_account_can_change_a_published_version() -> None:
    writers = ("storage.objectUser", "storage.objectAdmin", "storage.admin")
    under = {grant.under for grant in GRANTS if grant.on == "bucket" and grant.role in writers}
    assert [prefix for prefix in under if "models/r7/model.onnx".startswith(prefix)] == []
    assert "models/current.json" in under


def test_grants_on_different_prefixes_have_different_conditions() -> None:
    placed = [grant for grant in GRANTS if grant.under]
    assert len({(grant.account, grant.role, expression(TARGET, grant)) for grant in placed}) == len(placed)
    (command,) = [str(bind(setup(), grant)) for grant in placed if grant.under == "runs/"]
    assert f"projects/_/buckets/{PROJECT}-animals/objects/runs/" in command


def test_a_grant_under_another_condition_is_missing(gcloud: FakeGcloud) -> None:
    empty(gcloud)
    binding = {"role": "roles/storage.objectUser", "members": [TRAINER]}
    gcloud.answer("get-iam-policy", f"gs://{PROJECT}-animals", stdout={"bindings": [binding]})
    run_steps((Step("grants", grants),), setup())
    given = [call for call in changes(gcloud) if call.has(f"--member={TRAINER}", "--role=roles/storage.objectUser")]
    assert len(given) == 2


def test_additional_roles_are_reported_and_kept(gcloud: FakeGcloud, capsys: pytest.CaptureFixture[str]) -> None:
    empty(gcloud)
    theirs = [TRAINER, "user:owner@example.org"]
    gcloud.answer("projects", "get-iam-policy", stdout={"bindings": [{"role": "roles/editor", "members": theirs}]})
    run_steps((Step("grants", grants),), setup())
    output = capsys.readouterr().out
    assert "animals-trainer@my-project-1.iam.gserviceaccount.com has roles/editor on the project" in output
    assert f"remove-iam-policy-binding {PROJECT} --member={TRAINER} --role=roles/editor --condition=None" in output
    assert "owner@example.org" not in output
    assert not gcloud.called("remove-iam-policy-binding")
