"""The two buckets: private, versioned, and with lifecycle rules."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from animals.cloud.gcloud import Command
from animals.cloud.setup.steps import Setup, shown
from animals.cloud.template import FILES

RULES: Final = {"animals": FILES / "lifecycle" / "animals.json", "pictures": FILES / "lifecycle" / "pictures.json"}


def animals(setup: Setup) -> Iterator[Command]:
    """Create the bucket for models, feedback, predictions, reports and runs."""
    return _bucket(setup, setup.target.bucket, RULES["animals"])


def pictures(setup: Setup) -> Iterator[Command]:
    """Create the bucket for pictures, which DVC manages."""
    return _bucket(setup, setup.target.data_bucket, RULES["pictures"])


def _bucket(setup: Setup, url: str, rules: Path) -> Iterator[Command]:
    describe = setup.command(f"read the settings of {url}", "storage", "buckets", "describe", url, "--raw")
    existing = setup.gcloud.find(describe)
    private = ("--uniform-bucket-level-access", "--public-access-prevention")
    if existing is None:
        location = f"--location={setup.target.region}"
        yield setup.command(f"create the bucket {url}", "storage", "buckets", "create", url, location, *private)
    if existing is None or not _is_configured(existing, rules):
        yield setup.command(
            f"make {url} private, with versioning and lifecycle rules",
            *("storage", "buckets", "update", url, *private, "--versioning", f"--lifecycle-file={shown(rules)}"),
        )


def _is_configured(existing: Any, rules: Path) -> bool:
    access = existing.get("iamConfiguration", {})
    return (
        access.get("publicAccessPrevention") == "enforced"
        and access.get("uniformBucketLevelAccess", {}).get("enabled") is True
        and existing.get("versioning", {}).get("enabled") is True
        and _sorted(existing.get("lifecycle", {})) == _sorted(json.loads(rules.read_text(encoding="utf-8")))
    )


def _sorted(rules: Any) -> list[str]:
    return sorted(json.dumps(rule, sort_keys=True) for rule in rules.get("rule", ()))
