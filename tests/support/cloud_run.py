"""A stand-in for gcloud that simulates Cloud Run: it stores revisions and their traffic."""

import json
from pathlib import Path
from typing import Any

from tests.support.fake_gcloud import FakeGcloud
from tests.support.http import HttpServer, Request, Response, forward

TOKEN = "identity-of-the-deployer"  # noqa: S105 - not a real one

PLAYS = """
import re

kept = folder / "services.json"
services = json.loads(kept.read_text("utf-8"))
flags = dict(word[2:].partition("=")[::2] for word in asked if word.startswith("--"))
words = [word for word in asked if not word.startswith("--")]


def merged(service, shares, tags):
    addresses = services[service]["addresses"]
    targets = [{"revisionName": name, "percent": share} for name, share in shares.items() if share]
    targets += [{"revisionName": name, "tag": tag, "url": addresses[1]} for tag, name in tags.items()]
    services[service].update(targets=targets, tags=tags)


def deployed(service, new, targets):
    shares = {}
    tags = {}
    for target in targets:
        name = new if target.get("latestRevision") else target["revisionName"]
        shares[name] = shares.get(name, 0) + target.get("percent", 0)
        if "tag" in target:
            tags[target["tag"]] = name
    services[service]["revisions"].append(new)
    merged(service, shares, tags)


def now(service):
    return {target["revisionName"]: target["percent"] for target in services[service]["targets"] if "percent" in target}


if words[:3] == ["run", "services", "replace"]:
    text = pathlib.Path(words[3]).read_text("utf-8")
    service = re.search(r"^  name: (\\S+)", text, re.M)[1]
    new = re.search(r"^      name: (\\S+)", text, re.M)[1]
    deployed(service, new, json.loads(re.search(r"^  traffic: (.*)$", text, re.M)[1]))
elif words[:2] == ["run", "deploy"]:
    service, before = words[2], now(words[2])
    new = f"{service}-{flags['revision-suffix']}"
    if "no-traffic" in flags and not before:
        sys.exit("--no-traffic not supported when creating a new service.")
    named = [{"revisionName": name, "percent": share} for name, share in before.items() if "no-traffic" in flags]
    latest = {"latestRevision": True, "percent": 0 if "no-traffic" in flags else 100, "tag": flags["tag"]}
    deployed(service, new, [*named, latest])
elif words[:3] == ["run", "services", "update-traffic"]:
    shares = {name: int(share) for name, _, share in (one.partition("=") for one in flags["to-revisions"].split(","))}
    assert sum(shares.values()) == 100, shares
    assert set(shares) <= set(services[words[3]]["revisions"]), shares
    tags = services[words[3]]["tags"]
    merged(words[3], shares, {tag: name for tag, name in tags.items() if tag != flags.get("remove-tags")})
elif words[:3] == ["run", "services", "describe"]:
    if not services[words[3]]["revisions"]:
        sys.exit("ERROR: (gcloud.run.services.describe) Cannot find service [" + words[3] + "]")
    described = services[words[3]]
    print(json.dumps({"status": {"url": described["addresses"][0], "traffic": described["targets"]}}))
elif words[:2] == ["auth", "print-identity-token"]:
    print(json.loads((folder / "token.json").read_text("utf-8")))
(folder / "services.new").write_text(json.dumps(services), encoding="utf-8")
(folder / "services.new").replace(kept)  # all of it or none: Ctrl-C ends this program too
"""


class FakeCloudRun(FakeGcloud):
    """The stand-in. Responses of the table come first, so that a test can make a command fail.

    Args:
        folder: folder to put first on the PATH.
        addresses: service -> its URL and that of its tagged revision.
    """

    def __init__(self, folder: Path, **addresses: tuple[str, str]) -> None:
        super().__init__(folder, PLAYS)
        (folder / "token.json").write_text(json.dumps(TOKEN), encoding="utf-8")
        self._kept = folder / "services.json"
        self.services = {
            name.replace("_", "-"): {"addresses": both, "revisions": [], "targets": [], "tags": {}}
            for name, both in addresses.items()
        }

    @property
    def services(self) -> dict[str, Any]:
        """State of Cloud Run."""
        kept: dict[str, Any] = json.loads(self._kept.read_text(encoding="utf-8"))
        return kept

    @services.setter
    def services(self, services: dict[str, Any]) -> None:
        self._kept.write_text(json.dumps(services), encoding="utf-8")

    def serves_already(self, service: str, revision: str) -> None:
        """Create a revision with all traffic."""
        services = self.services
        services[service] |= {"revisions": [revision], "targets": [{"revisionName": revision, "percent": 100}]}
        self.services = services

    def shares(self, service: str) -> dict[str, int]:
        """Return the traffic share of each revision, in percent."""
        targets = self.services[service]["targets"]
        return {target["revisionName"]: target["percent"] for target in targets if "percent" in target}

    def moves(self, service: str) -> list[str]:
        """Return the traffic shares that were set, in their order."""
        sent = [call.words for call in self.called("update-traffic", service)]
        return [next(word.partition("=")[2] for word in words if "--to-revisions" in word) for words in sent]


class CloudRunProxy(HttpServer):
    """Cloud Run in front of a service: requests without the token are refused.

    Args:
        port: port of the service behind it.
    """

    def __init__(self, port: int) -> None:
        super().__init__(self._respond)
        self.public = False
        """Whether to accept all requests."""
        self.broken: dict[str, int] = {}
        """Path -> status of the response instead."""
        self.seen: list[tuple[str, int]] = []
        """Path and status of each request."""
        self._upstream = port

    def _respond(self, request: Request) -> Response:
        if not self.public and request.headers.get("Authorization") != f"Bearer {TOKEN}":
            response = Response(403, b"Your client does not have permission.")
        elif request.route in self.broken:
            response = Response(self.broken[request.route], b"broken by the test")
        else:
            response = forward(request, self._upstream)
        self.seen.append((request.route, response.status))
        return response
