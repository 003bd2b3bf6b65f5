"""Traffic shares of the revisions of a Cloud Run service: read and change them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from animals.cloud.gcloud import Command, Gcloud
from animals.cloud.target import Target

ALL: Final = 100
"""All traffic, in percent."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """The distribution of a service's traffic over its revisions."""

    url: str
    """URL of the service."""
    shares: Mapping[str, int]
    """Revision -> percent."""
    tags: Mapping[str, tuple[str, str]]
    """Tag -> its revision and its URL."""

    @classmethod
    def parse(cls, service: Any) -> "Traffic":
        """Parse the output of `gcloud run services describe`."""
        status = service.get("status", {})
        shares: dict[str, int] = {}
        tags = {}
        for target in status.get("traffic", []):
            revision = target.get("revisionName", "")
            shares[revision] = shares.get(revision, 0) + target.get("percent", 0)
            if "tag" in target:
                tags[target["tag"]] = (revision, target.get("url", ""))
        return cls(status.get("url", ""), shares, tags)

    @property
    def serving(self) -> str | None:
        """The revision with the largest share; None if no revision has one."""
        most = max(self.shares, key=self.shares.__getitem__, default=None)
        return most if most and self.shares[most] else None

    def tagged(self, tag: str) -> str | None:
        """Return the revision with a tag; None if there is none."""
        return self.tags[tag][0] if tag in self.tags else None


def read_traffic(target: Target, gcloud: Gcloud, service: str) -> Traffic | None:
    """Read the traffic of a service; None if there is no such service.

    In a dry run it assumes that one revision has all traffic, as in most deployments.
    """
    description = gcloud.find(Command(_words(target, "describe", service), f"read the traffic of {service}"))
    if gcloud.dry_run:
        return Traffic(f"https://{service}-NUMBER.{target.region}.run.app", {f"{service}-before": ALL}, {})
    return None if description is None else Traffic.parse(description)


def change_traffic(target: Target, service: str, shares: Mapping[str, int], why: str, *more: str) -> Command:
    """Return the command that sets the traffic shares of revisions, which add up to 100."""
    to_revisions = ",".join(f"{revision}={share}" for revision, share in shares.items() if share)
    return Command((*_words(target, "update-traffic", service), f"--to-revisions={to_revisions}", *more), why)


def _words(target: Target, verb: str, service: str) -> tuple[str, ...]:
    return ("gcloud", "run", "services", verb, service, f"--project={target.project}", f"--region={target.region}")
