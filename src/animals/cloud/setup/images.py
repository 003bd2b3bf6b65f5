"""The repository of container images, and its cleanup policies."""

import json
from collections.abc import Iterator
from typing import Any, Final

from animals.cloud.gcloud import Command
from animals.cloud.setup.steps import Setup, shown
from animals.cloud.target import REPOSITORY
from animals.cloud.template import FILES

CLEANUP: Final = FILES / "cleanup.json"

SCAN: Final = "--disable-vulnerability-scanning"


def repository(setup: Setup) -> Iterator[Command]:
    """Create a repository in Artifact Registry that deletes old images.

    It does not scan pushed images: the build does, before the deployment, and each scan costs money.
    """
    where = (REPOSITORY, f"--location={setup.target.region}")
    group = ("artifacts", "repositories")
    existing = setup.gcloud.find(setup.command("check whether the repository exists", *group, "describe", *where))
    if existing is None:
        yield setup.command(
            "create the repository for images",
            *(*group, "create", *where, "--repository-format=docker", SCAN),
        )
    elif existing.get("vulnerabilityScanningConfig", {}).get("enablementConfig") != "DISABLED":
        yield setup.command("turn off scanning, which the build does", *group, "update", *where, SCAN)
    if existing is None or not _has_policies(existing):
        yield setup.command(
            "keep the newest ten of each image and delete old ones",
            *(*group, "set-cleanup-policies", *where, f"--policy={shown(CLEANUP)}", "--no-dry-run"),
        )


def _has_policies(existing: Any) -> bool:
    """Return whether the cleanup policies are those of the file, and not a dry run.

    The registry returns other spellings: KEEP for Keep, UNTAGGED for untagged, seconds for days.
    """
    expected = {policy["name"]: _normalize(policy) for policy in json.loads(CLEANUP.read_text(encoding="utf-8"))}
    actual = {name: _normalize(policy) for name, policy in existing.get("cleanupPolicies", {}).items()}
    return expected == actual and not existing.get("cleanupPolicyDryRun", False)


def _normalize(policy: Any) -> tuple[str, str, int, int]:
    action, condition = policy.get("action", ""), policy.get("condition", {})
    kind = action["type"] if isinstance(action, dict) else action
    days = condition.get("olderThan", "0d")
    seconds = int(days[:-1]) * 86400 if days.endswith("d") else int(float(days.removesuffix("s")))
    kept = policy.get("mostRecentVersions", {}).get("keepCount", 0)
    return kind.upper(), condition.get("tagState", "ANY").upper(), seconds, kept
