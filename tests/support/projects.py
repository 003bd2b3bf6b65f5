"""Responses of gcloud about a project: an empty one, and one after some commands."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.support.fake_gcloud import Call, FakeGcloud

PROJECT = "my-project-1"
NUMBER = "123456789012"
CHANNEL = f"projects/{PROJECT}/notificationChannels/77"
EMAIL = "somebody@example.org"
READS = ("describe", "list", "list-configs", "get-iam-policy")

Json = dict[str, Any]


def empty(gcloud: FakeGcloud) -> None:
    """Set the responses of an empty project."""
    gcloud.answer("describe", stderr="ERROR: (gcloud) NOT_FOUND: there is no such thing\n", code=1)
    gcloud.answer("projects", "describe", stdout={"projectNumber": NUMBER, "lifecycleState": "ACTIVE"})
    gcloud.answer("get-iam-policy", stdout={"etag": "ACAB"})
    gcloud.answer("run", "jobs", "get-iam-policy", stderr="ERROR: Cannot find job [animals-check]\n", code=1)
    gcloud.answer("channels", "list", stdout=[{"name": CHANNEL, "labels": {"email_address": EMAIL}}])
    gcloud.answer("channels", "list", stdout=[], times=1)


def deployed(gcloud: FakeGcloud) -> None:
    """Set the responses after a deployment of the page and the retrain check."""
    gcloud.answer("run", "services", "describe", stdout={"status": {"url": "https://animals-frontend-1.run.app"}})
    gcloud.answer("run", "jobs", "get-iam-policy", stdout={"etag": "ACAB"})


def filled(gcloud: FakeGcloud, calls: Iterable[Call]) -> None:
    """Set the responses after these commands, in gcloud's format."""
    calls = list(calls)
    _lists(gcloud, calls)
    _policies(gcloud, calls)
    _things(gcloud, calls)
    _watching(gcloud, calls)


def changes(gcloud: FakeGcloud) -> list[Call]:
    """Return the recorded commands that change something."""
    return [call for call in gcloud.calls if not set(READS) & set(call.words)]


def _lists(gcloud: FakeGcloud, calls: list[Call]) -> None:
    enabled = [word for call in calls if "enable" in call.words for word in call.words if word.endswith(".com")]
    gcloud.answer("services", "list", stdout="\n".join(enabled))
    accounts = [call.words[4] for call in _having(calls, "service-accounts", "create")]
    emails = [f"{account}@{PROJECT}.iam.gserviceaccount.com" for account in accounts]
    gcloud.answer("service-accounts", "list", stdout="\n".join(emails))
    gcloud.answer("secrets", "list", stdout="\n".join(call.words[3] for call in _having(calls, "secrets", "create")))
    for call in _having(calls, "versions", "add"):
        gcloud.answer("versions", "list", call.words[4], stdout="1\n")
    triggers = [_flag(call, "name") for call in _having(calls, "triggers", "create")]
    gcloud.answer("triggers", "list", stdout="\n".join(triggers))


def _policies(gcloud: FakeGcloud, calls: list[Call]) -> None:
    policies: dict[tuple[str, ...], list[Json]] = {}
    for call in _having(calls, "add-iam-policy-binding"):
        verb = call.words.index("add-iam-policy-binding")
        binding: Json = {"role": _flag(call, "role"), "members": [_flag(call, "member")]}
        condition = _flag(call, "condition")
        if condition not in ("", "None"):
            title, _, expression = condition.partition(",expression=")
            binding["condition"] = {"title": title.removeprefix("title="), "expression": expression}
        policies.setdefault((*call.words[1:verb], "get-iam-policy", call.words[verb + 1]), []).append(binding)
    for words, bindings in policies.items():
        gcloud.answer(*words, stdout={"bindings": bindings})


def _things(gcloud: FakeGcloud, calls: list[Call]) -> None:
    for call in _having(calls, "buckets", "update"):
        access = {"publicAccessPrevention": "enforced", "uniformBucketLevelAccess": {"enabled": True}}
        rules = json.loads(Path(_flag(call, "lifecycle-file")).read_text(encoding="utf-8"))
        bucket = {"iamConfiguration": access, "versioning": {"enabled": True}, "lifecycle": rules}
        gcloud.answer("buckets", "describe", call.words[4], stdout=bucket)
    policies = {
        "keep-newest": {"action": "KEEP", "mostRecentVersions": {"keepCount": 10}},
        "delete-untagged": {"action": "DELETE", "condition": {"tagState": "UNTAGGED", "olderThan": "604800s"}},
        "delete-old": {"action": "DELETE", "condition": {"tagState": "ANY", "olderThan": "7776000s"}},
    }
    if _having(calls, "set-cleanup-policies"):
        scan = {"enablementConfig": "DISABLED", "enablementState": "SCANNING_DISABLED"}
        found = {"cleanupPolicies": policies, "vulnerabilityScanningConfig": scan}
        gcloud.answer("repositories", "describe", stdout=found)
    if _having(calls, "topics", "create"):
        gcloud.answer("topics", "describe", stdout={"name": "animals-retrain"})
    if _having(calls, "workload-identity-pools", "create"):
        gcloud.answer("workload-identity-pools", "describe", stdout={"state": "ACTIVE"})
    for call in _having(calls, "create-oidc"):
        mapping = dict(pair.split("=", 1) for pair in _flag(call, "attribute-mapping").split(","))
        provider = {"attributeCondition": _flag(call, "attribute-condition"), "attributeMapping": mapping}
        gcloud.answer("providers", "describe", stdout=provider)
    for call in _having(calls, "scheduler", "jobs", "create"):
        token = {"serviceAccountEmail": _flag(call, "oauth-service-account-email")}
        job = {"schedule": _flag(call, "schedule"), "httpTarget": {"uri": _flag(call, "uri"), "oauthToken": token}}
        gcloud.answer("scheduler", "jobs", "describe", stdout=job)


def _watching(gcloud: FakeGcloud, calls: list[Call]) -> None:
    for call in _having(calls, "metrics", "create"):
        told = json.loads(Path(_flag(call, "config-from-file")).read_text(encoding="utf-8"))
        gcloud.answer("metrics", "describe", call.words[4], stdout={"name": call.words[4], **told})
    for call in _having(calls, "channels", "create"):
        address = _flag(call, "channel-labels").partition("=")[2]
        gcloud.answer("channels", "list", stdout=[{"name": CHANNEL, "labels": {"email_address": address}}])
    policies = []
    for number, call in enumerate(_having(calls, "policies", "create")):
        text = Path(_flag(call, "policy-from-file")).read_text(encoding="utf-8")
        name = next(line for line in text.splitlines() if line.startswith("displayName: ")).split()[1]
        label, _, value = _flag(call, "user-labels").partition("=")
        channels = [channel] if (channel := _flag(call, "notification-channels")) else []
        policy = {"name": f"projects/{PROJECT}/alertPolicies/{number}", "displayName": name}
        policies.append({**policy, "userLabels": {label: value}, "notificationChannels": channels})
    gcloud.answer("policies", "list", stdout=policies)
    dashboards = [
        {"name": f"projects/{NUMBER}/dashboards/1", "etag": "abc", **json.loads(Path(file).read_text(encoding="utf-8"))}
        for file in (_flag(call, "config-from-file") for call in _having(calls, "dashboards", "create"))
    ]
    gcloud.answer("dashboards", "list", stdout=dashboards)
    checks = [{"displayName": call.words[4]} for call in _having(calls, "uptime", "create")]
    gcloud.answer("uptime", "list-configs", stdout=checks)


def _having(calls: list[Call], *words: str) -> list[Call]:
    return [call for call in calls if call.has(*words)]


def _flag(call: Call, name: str) -> str:
    return next((word.partition("=")[2] for word in call.words if word.startswith(f"--{name}=")), "")
