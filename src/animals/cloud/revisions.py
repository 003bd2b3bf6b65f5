"""Which revisions of a service on Cloud Run answer its visitors: read, and changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from animals.cloud.gcloud import Command, Gcloud
from animals.cloud.target import Place

ALL: Final = 100
"""Percent."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """Who answers a service's visitors."""

    url: str
    """Of the service."""
    shares: Mapping[str, int]
    """Revision -> percent."""
    tags: Mapping[str, tuple[str, str]]
    """Tag -> its revision and the address of its own."""

    @classmethod
    def read(cls, described: Any) -> "Traffic":
        """Take it from what `gcloud run services describe` says."""
        status = described.get("status", {})
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
        """The revision that answers most; None where none does."""
        most = max(self.shares, key=self.shares.__getitem__, default=None)
        return most if most and self.shares[most] else None

    def tagged(self, tag: str) -> str | None:
        """The revision that has a tag, if there is one."""
        return self.tags[tag][0] if tag in self.tags else None


def describe(place: Place, service: str) -> Command:
    """The command that says which revisions a service has, and who answers."""
    return Command(_words(place, "describe", service), f"see who answers for {service}")


def look(place: Place, gcloud: Gcloud, service: str) -> Traffic | None:
    """As it is now; None where there is no such service.

    A dry run, which cannot know, says that a revision serves already: that is how most deployments find it.
    """
    found = gcloud.find(describe(place, service))
    if gcloud.dry_run:
        return Traffic(f"https://{service}-NUMBER.{place.region}.run.app", {f"{service}-before": ALL}, {})
    return None if found is None else Traffic.read(found)


def change(place: Place, service: str, shares: Mapping[str, int], why: str, *more: str) -> Command:
    """The command that gives each of these revisions a share; they are 100 together."""
    wanted = ",".join(f"{revision}={share}" for revision, share in shares.items() if share)
    return Command((*_words(place, "update-traffic", service), f"--to-revisions={wanted}", *more), why)


def _words(place: Place, verb: str, service: str) -> tuple[str, ...]:
    return ("gcloud", "run", "services", verb, service, f"--project={place.project}", f"--region={place.region}")
