"""The two buckets: private, versioned, and swept by rules."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from animals.cloud.gcloud import Command
from animals.cloud.setup.steps import Setup, shown
from animals.cloud.template import FILES

RULES: Final = {"animals": FILES / "lifecycle" / "animals.json", "pictures": FILES / "lifecycle" / "pictures.json"}


def animals(setup: Setup) -> Iterator[Command]:
    """The one of models, feedback, predictions, reports and runs."""
    return _bucket(setup, setup.place.bucket, RULES["animals"])


def pictures(setup: Setup) -> Iterator[Command]:
    """The one of DVC."""
    return _bucket(setup, setup.place.data_bucket, RULES["pictures"])


def _bucket(setup: Setup, url: str, rules: Path) -> Iterator[Command]:
    look = setup.command(f"see how {url} is", "storage", "buckets", "describe", url, "--raw")
    found = setup.gcloud.find(look)
    private = ("--uniform-bucket-level-access", "--public-access-prevention")
    if found is None:
        place = f"--location={setup.place.region}"
        yield setup.command(f"make the bucket {url}", "storage", "buckets", "create", url, place, *private)
    if found is None or not _is_right(found, rules):
        yield setup.command(
            f"keep {url} private, with old versions and rules that delete them",
            *("storage", "buckets", "update", url, *private, "--versioning", f"--lifecycle-file={shown(rules)}"),
        )


def _is_right(found: Any, rules: Path) -> bool:
    access = found.get("iamConfiguration", {})
    return (
        access.get("publicAccessPrevention") == "enforced"
        and access.get("uniformBucketLevelAccess", {}).get("enabled") is True
        and found.get("versioning", {}).get("enabled") is True
        and _sorted(found.get("lifecycle", {})) == _sorted(json.loads(rules.read_text(encoding="utf-8")))
    )


def _sorted(rules: Any) -> list[str]:
    return sorted(json.dumps(rule, sort_keys=True) for rule in rules.get("rule", ()))
