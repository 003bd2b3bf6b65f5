"""`invoke deploy`: put images that are built already to work on Cloud Run, each service by a canary of its own."""

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final, get_args

from animals.cloud import canary_health, function, revisions, smoke
from animals.cloud.canary import TAG, Canary, Revisions
from animals.cloud.canary_health import WATCH_SECONDS
from animals.cloud.gcloud import Command, Gcloud
from animals.cloud.revisions import ALL, Traffic
from animals.cloud.smoke import Asking
from animals.cloud.target import BACKEND, CHECK, FRONTEND, REPORT, Account, Image, Part, Place
from animals.cloud.template import FILES, FILLED, fill_into
from animals.errors import CloudError


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long a deployment takes over what, in seconds."""

    watch: float = WATCH_SECONDS
    """To look at a revision that has some of the visitors."""
    every: float = 30.0
    """Between two looks."""
    patience: float = 120.0
    """For an address, a right or an instance that is not there at once: IAM takes a minute or two."""
    pause: float = 5.0
    """Between two attempts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service and how it is let in."""

    name: str
    test: smoke.Test
    again: smoke.Test
    """While it has a part of the visitors, every half minute: it leaves nothing behind."""
    steps: tuple[int, ...]
    """Shares of the visitors, in percent."""
    invokers: tuple[Account, ...]
    """Who may ask it; the deployer must, to test it."""
    public: bool = False
    """Whether everybody may, once it has passed."""


SERVICES: Final[Mapping[str, Service]] = {
    "backend": Service(
        name=BACKEND, test=smoke.backend, again=smoke.ready, steps=(10, ALL), invokers=("frontend", "deployer")
    ),
    # A report is asked for a few times a day: a tenth of that would tell nothing.
    "report": Service(
        name=REPORT, test=smoke.report, again=smoke.report, steps=(ALL,), invokers=("frontend", "deployer")
    ),
    "frontend": Service(
        name=FRONTEND, test=smoke.page, again=smoke.page, steps=(10, ALL), invokers=("deployer",), public=True
    ),
}
"""In the order of deployment: the page asks the other two."""

JOB: Final = "check"

PARTS: Final = get_args(Part)


class Deployment:
    """One deployment.

    Args:
        place: where.
        gcloud: runs the commands, or prints them.
        tag: of the images.
        pace: how long it takes over what.
    """

    def __init__(self, place: Place, gcloud: Gcloud, tag: str, pace: Pace) -> None:
        self._place = place
        self._gcloud = gcloud
        self._tag = tag
        self._pace = pace

    def deploy(self, part: Part) -> None:
        """Deploy one of PARTS.

        Raises:
            CloudError: it did not pass its tests.
            Interrupted: by Ctrl-C or SIGTERM.
            CloudError: gcloud did not do something.
        """
        if part == JOB:
            self._gcloud.run(self._job())
            return
        service = SERVICES[part]
        now = revisions.look(self._place, self._gcloud, service.name)
        previous = now.serving if now else None
        pair = Revisions(service.name, self._revision(service.name), previous, service.steps)
        make = {"backend": self._backend, "frontend": self._frontend, "report": self._report}[part](pair)
        Canary(
            self._place,
            self._gcloud,
            pair,
            deploy=lambda: self._make(service, make),
            look=lambda share, seen: self._look(service, pair.new, share, seen),
            pause=self._pace.pause,
        ).run()
        if service.public:
            self._gcloud.run(self._invoker(service.name, "allUsers", "let everybody see the page"))

    def _revision(self, service: str) -> str:
        """A name that no revision has yet: the images' tag, as far as it may be in a name, and the time."""
        tag = re.sub("[^a-z0-9]+", "-", self._tag.lower())[:20].strip("-")
        return "-".join([service, *([tag] if tag else []), f"{datetime.now(UTC):%y%m%d-%H%M%S}"])

    def _make(self, service: Service, make: Command) -> None:
        try:
            self._gcloud.run(make)
        except CloudError as error:
            hint = " A backend is not ready before a version is published: has one been?"
            raise CloudError(f"{error}{hint if service.name == BACKEND else ''}") from error
        for name in service.invokers:
            account = self._place.account(name)
            self._gcloud.run(
                self._invoker(service.name, f"serviceAccount:{account}", f"let {account} ask {service.name}")
            )

    def _invoker(self, service: str, member: str, why: str) -> Command:
        words = ("gcloud", "run", "services", "add-iam-policy-binding", service, *self._where)
        return Command((*words, f"--member={member}", "--role=roles/run.invoker"), why)

    @property
    def _where(self) -> tuple[str, str]:
        return f"--project={self._place.project}", f"--region={self._place.region}"

    def _backend(self, revisions: Revisions) -> Command:
        values = {"BUCKET": self._place.bucket, "PROJECT": self._place.project}
        return self._replace("backend", revisions, "api", values)

    def _frontend(self, revisions: Revisions) -> Command:
        values = {"BACKEND": self._address(BACKEND), "REPORT": self._address(REPORT)}
        return self._replace("frontend", revisions, "frontend", values)

    def _report(self, revisions: Revisions) -> Command:
        folder = function.assemble(function.FOLDER)
        return function.deploy(self._place, folder, revisions.new, first=revisions.first)

    def _replace(self, name: Account, revisions: Revisions, image: Image, more: Mapping[str, str]) -> Command:
        values = {
            "REVISION": revisions.new,
            "ACCOUNT": self._place.account(name),
            "IMAGE": self._place.image(image, self._tag),
            "TRAFFIC": targets(revisions.previous),
            **more,
        }
        path = fill_into(FILLED, FILES / "run" / f"{name}.yaml", values)
        words = ("gcloud", "run", "services", "replace", path.as_posix(), *self._where)
        return Command(words, f"make {revisions.new}, {'the first' if revisions.first else 'without visitors'}")

    def _job(self) -> Command:
        values = {
            "ACCOUNT": self._place.account("report"),
            "IMAGE": self._place.image("report", self._tag),
            "BUCKET": self._place.bucket,
            "TRIGGER": self._place.trigger,
        }
        path = fill_into(FILLED, FILES / "run" / "check.yaml", values)
        return Command(("gcloud", "run", "jobs", "replace", path.as_posix(), *self._where), f"make the job {CHECK}")

    def _address(self, service: str) -> str:
        found = revisions.look(self._place, self._gcloud, service)
        if found is None or not found.url:
            raise CloudError(f"There is no {service} yet, which the page asks. Deploy that first.")
        return found.url

    def _look(self, service: Service, revision: str, share: int, seen: Traffic) -> None:
        """Test a revision that has this share of the visitors."""
        asking = Asking(seen.url if share == ALL else self._tagged(seen), self._token(seen.url))

        def test(what: smoke.Test, patience: float) -> None:
            for one in (what, *(() if service.public else (smoke.refuses_strangers,))):
                self._test(one, asking, patience)

        if not 0 < share < ALL:
            test(service.test, self._pace.patience)
            return
        seconds, every = self._pace.watch, self._pace.every
        again = partial(test, service.again, 3 * self._pace.pause)
        canary_health.watch(self._place, self._gcloud, revision, again, seconds=seconds, every=every)

    def _tagged(self, seen: Traffic) -> str:
        if self._gcloud.dry_run:
            return seen.url.replace("https://", f"https://{TAG}---")
        if TAG not in seen.tags:
            raise CloudError(f"No revision has the tag {TAG} any more. Has somebody taken it away?")
        return seen.tags[TAG][1]

    def _test(self, test: smoke.Test, asking: Asking, patience: float) -> None:
        what = f"ask {asking.address}: {(test.__doc__ or '').strip()}\n"
        sys.stdout.write(f"# {what}" if self._gcloud.dry_run else what)
        if not self._gcloud.dry_run:
            smoke.patiently(test, asking, seconds=patience, pause=self._pace.pause)

    def _token(self, audience: str) -> str:
        # As the deployer also where somebody else runs this: a person's own account gets no token for an audience. The
        # audience is the service's own address for a revision's too.
        words = (
            *("gcloud", "auth", "print-identity-token", f"--audiences={audience}", "--include-email"),
            f"--impersonate-service-account={self._place.account('deployer')}",
        )
        return self._gcloud.output(Command(words, "become somebody who may ask it")).strip()


def targets(previous: str | None) -> str:
    """`spec.traffic` of a service that gets a new revision, as JSON, which is YAML too.

    Args:
        previous: the revision that has all visitors and keeps them; None: there is none.
    """
    new = {"latestRevision": True, "percent": 0 if previous else ALL, "tag": TAG}
    before = [{"revisionName": previous, "percent": ALL}] if previous else []
    return json.dumps([*before, new])


def deploy(place: Place, gcloud: Gcloud, *, tag: str, only: Part | None = None, watch: float = WATCH_SECONDS) -> None:
    """Deploy the images with this tag.

    Args:
        place: project and region.
        gcloud: runs the commands, or prints them.
        tag: of the images.
        only: a part to deploy alone; None: each of PARTS.
        watch: seconds to observe a revision that gets a tenth of the requests.

    Raises:
        ConfigError: no image can have such a tag.
        DeploymentFailed: a part did not pass its tests.
        Interrupted: by Ctrl-C or SIGTERM.
        CloudError: a command failed.
    """
    place.image("api", tag)  # an invalid tag is refused before anything is deployed
    if gcloud.dry_run:
        sys.stdout.write(
            "# What only the project knows has stand-ins here: NUMBER is the project's, and a revision named -before\n"
            "# the one that serves when this begins. Where none does, the new one gets everybody at once.\n"
        )
    deployment = Deployment(place, gcloud, tag, Pace(watch=watch))
    for part in (only,) if only else PARTS:
        deployment.deploy(part)
