"""Where the container images are kept, and for how long."""

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
    """A repository in Artifact Registry that deletes what is old.

    It does not scan what is pushed: the build does, before anything is deployed, and each scan is paid for.
    """
    where = (REPOSITORY, f"--location={setup.place.region}")
    group = ("artifacts", "repositories")
    found = setup.gcloud.find(setup.command("see whether the repository is there", *group, "describe", *where))
    if found is None:
        yield setup.command(
            "make the repository for images",
            *(*group, "create", *where, "--repository-format=docker", SCAN),
        )
    elif found.get("vulnerabilityScanningConfig", {}).get("enablementConfig") != "DISABLED":
        yield setup.command("leave the scanning to the build", *group, "update", *where, SCAN)
    if found is None or not _is_clean(found):
        yield setup.command(
            "keep the newest ten of each image and delete old ones",
            *(*group, "set-cleanup-policies", *where, f"--policy={shown(CLEANUP)}", "--no-dry-run"),
        )


def _is_clean(found: Any) -> bool:
    """Whether its policies are those of the file, and not only tried out.

    The registry answers with other spellings: KEEP for Keep, UNTAGGED for untagged, seconds for days.
    """
    wanted = {policy["name"]: _told(policy) for policy in json.loads(CLEANUP.read_text(encoding="utf-8"))}
    there = {name: _told(policy) for name, policy in found.get("cleanupPolicies", {}).items()}
    return wanted == there and not found.get("cleanupPolicyDryRun", False)


def _told(policy: Any) -> tuple[str, str, int, int]:
    action, condition = policy.get("action", ""), policy.get("condition", {})
    kind = action["type"] if isinstance(action, dict) else action
    days = condition.get("olderThan", "0d")
    seconds = int(days[:-1]) * 86400 if days.endswith("d") else int(float(days.removesuffix("s")))
    kept = policy.get("mostRecentVersions", {}).get("keepCount", 0)
    return kind.upper(), condition.get("tagState", "ANY").upper(), seconds, kept
