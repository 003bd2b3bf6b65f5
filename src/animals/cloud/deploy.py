"""`invoke deploy`: deploy built images to Cloud Run, each service by a canary deployment."""

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, get_args

from animals.cloud import canary_health, function, smoke
from animals.cloud.canary import TAG, Canary
from animals.cloud.canary_health import WATCH_SECONDS
from animals.cloud.gcloud import Command, Gcloud
from animals.cloud.revisions import ALL, Traffic, read_traffic
from animals.cloud.smoke import Client
from animals.cloud.target import BACKEND, CHECK, FRONTEND, REPORT, Account, Image, Part, Target
from animals.cloud.template import FILES, FILLED, fill_into
from animals.errors import CloudError


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Durations of a deployment, in seconds."""

    watch: float = WATCH_SECONDS
    """Observation of a revision that has a share of the traffic."""
    every: float = 30.0
    """Interval between two tests of it."""
    patience: float = 120.0
    """Time for a new URL, permission or instance to work: IAM takes a minute or two."""
    pause: float = 5.0
    """Pause between two attempts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service and its deployment."""

    name: str
    test: smoke.Test
    repeated_test: smoke.Test
    """Test while it has a share of the traffic; it stores nothing."""
    steps: tuple[int, ...]
    """Traffic shares, in percent."""
    invokers: tuple[Account, ...]
    """Accounts that may send requests: the deployer needs to, for the tests."""
    public: bool = False
    """Whether everyone may send requests after the tests passed."""


SERVICES: Final[Mapping[str, Service]] = {
    "backend": Service(
        name=BACKEND, test=smoke.backend, repeated_test=smoke.ready, steps=(10, ALL), invokers=("frontend", "deployer")
    ),
    # The report function gets a few requests a day: a tenth of them would test nothing.
    "report": Service(
        name=REPORT, test=smoke.report, repeated_test=smoke.report, steps=(ALL,), invokers=("frontend", "deployer")
    ),
    "frontend": Service(
        name=FRONTEND, test=smoke.page, repeated_test=smoke.page, steps=(10, ALL), invokers=("deployer",), public=True
    ),
}
"""Services in the order of deployment: the page sends requests to the other two."""

PARTS: Final = get_args(Part)


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment of all images with a tag."""

    target: Target
    gcloud: Gcloud
    tag: str
    pace: Pace

    def deploy(self, part: Part) -> None:
        """Deploy one of PARTS.

        Raises:
            CloudError: a test or a command failed.
            Interrupted: by Ctrl-C or SIGTERM.
        """
        if part == "check":
            self.gcloud.run(self._command(part, CHECK, None))
            return
        service = SERVICES[part]
        traffic = read_traffic(self.target, self.gcloud, service.name)
        previous = traffic.serving if traffic else None
        new = revision_name(service.name, self.tag)
        command = self._command(part, new, previous)
        Canary(
            target=self.target,
            gcloud=self.gcloud,
            service=service.name,
            new=new,
            previous=previous,
            steps=service.steps,
            deploy=lambda: self._create(service, command),
            test=lambda share, traffic: self._test(service, new, share, traffic),
            pause=self.pace.pause,
        ).run()
        if service.public:
            self.gcloud.run(self._add_invoker(service.name, "allUsers", "make the page public"))

    def _create(self, service: Service, command: Command) -> None:
        try:
            self.gcloud.run(command)
        except CloudError as error:
            hint = " A backend is not ready before a version is published: is there one?"
            raise CloudError(f"{error}{hint if service.name == BACKEND else ''}") from error
        for name in service.invokers:
            account = self.target.account(name)
            why = f"allow {account} to send requests to {service.name}"
            self.gcloud.run(self._add_invoker(service.name, f"serviceAccount:{account}", why))

    def _add_invoker(self, service: str, member: str, why: str) -> Command:
        words = ("gcloud", "run", "services", "add-iam-policy-binding", service, *self._where)
        return Command((*words, f"--member={member}", "--role=roles/run.invoker"), why)

    @property
    def _where(self) -> tuple[str, str]:
        return f"--project={self.target.project}", f"--region={self.target.region}"

    def _command(self, part: Part, new: str, previous: str | None) -> Command:
        """Return the command that creates a new revision of a service, or the job."""
        why = f"create {new}, {'without traffic' if previous else 'the first'}"
        revision = {"REVISION": new, "TRAFFIC": traffic_targets(previous)}
        match part:
            case "backend":
                values = revision | {"BUCKET": self.target.bucket, "PROJECT": self.target.project}
                return self._replace("services", part, part, "api", values, why)
            case "frontend":
                values = revision | {"BACKEND": self._url(BACKEND), "REPORT": self._url(REPORT)}
                return self._replace("services", part, part, "frontend", values, why)
            case "report":
                return function.deploy(self.target, function.assemble(function.FOLDER), new, first=not previous)
            case "check":
                values = {"BUCKET": self.target.bucket, "TRIGGER": self.target.trigger}
                return self._replace("jobs", part, "report", "report", values, f"create the job {CHECK}")

    def _replace(
        self, kind: str, file: str, account: Account, image: Image, more: Mapping[str, str], why: str
    ) -> Command:
        values = {"ACCOUNT": self.target.account(account), "IMAGE": self.target.image(image, self.tag), **more}
        path = fill_into(FILLED, FILES / "run" / f"{file}.yaml", values)
        return Command(("gcloud", "run", kind, "replace", path.as_posix(), *self._where), why)

    def _url(self, service: str) -> str:
        traffic = read_traffic(self.target, self.gcloud, service)
        if traffic is None or not traffic.url:
            raise CloudError(f"There is no {service} yet, which the page needs. Deploy that first.")
        return traffic.url

    def _test(self, service: Service, revision: str, share: int, traffic: Traffic) -> None:
        """Test a revision that has this share of the traffic."""
        client = Client(traffic.url if share == ALL else self._tagged_url(traffic), self._token(traffic.url))
        access_test = () if service.public else (smoke.requires_token,)
        if share in (0, ALL):
            self._run_tests((service.test, *access_test), client, self.pace.patience)
            return
        canary_health.watch(
            self.target,
            self.gcloud,
            revision,
            lambda: self._run_tests((service.repeated_test, *access_test), client, 3 * self.pace.pause),
            seconds=self.pace.watch,
            every=self.pace.every,
        )

    def _tagged_url(self, traffic: Traffic) -> str:
        if self.gcloud.dry_run:
            return traffic.url.replace("https://", f"https://{TAG}---")
        if TAG not in traffic.tags:
            raise CloudError(f"No revision has the tag {TAG} any more. Was it removed during the deployment?")
        return traffic.tags[TAG][1]

    def _run_tests(self, tests: tuple[smoke.Test, ...], client: Client, seconds: float) -> None:
        for test in tests:
            line = f"test {client.url}: {(test.__doc__ or '').strip()}\n"
            sys.stdout.write(f"# {line}" if self.gcloud.dry_run else line)
            if not self.gcloud.dry_run:
                smoke.run_with_retries(test, client, seconds=seconds, pause=self.pace.pause)

    def _token(self, audience: str) -> str:
        # of the deployer: a person's own account gets no token for an audience, which is the service's URL also for a
        # revision
        words = (
            *("gcloud", "auth", "print-identity-token", f"--audiences={audience}", "--include-email"),
            f"--impersonate-service-account={self.target.account('deployer')}",
        )
        return self.gcloud.output(Command(words, "get an identity token of the deployer")).strip()


def revision_name(service: str, tag: str) -> str:
    """Return a new revision name: the images' tag, without characters that are not allowed, and the time."""
    tag = re.sub("[^a-z0-9]+", "-", tag.lower())[:20].strip("-")
    return "-".join([service, *([tag] if tag else []), f"{datetime.now(UTC):%y%m%d-%H%M%S}"])


def traffic_targets(previous: str | None) -> str:
    """Return `spec.traffic` of a service whose previous revision, if any, keeps all traffic: JSON is valid YAML."""
    new = {"latestRevision": True, "percent": 0 if previous else ALL, "tag": TAG}
    before = [{"revisionName": previous, "percent": ALL}] if previous else []
    return json.dumps([*before, new])


def deploy(target: Target, gcloud: Gcloud, *, tag: str, only: Part | None = None, watch: float = WATCH_SECONDS) -> None:
    """Deploy the images with this tag, or `only` one part, and `watch` each revision that gets a tenth of the requests.

    Raises:
        ConfigError: the tag is invalid.
        CloudError: a test or a command failed.
        Interrupted: by Ctrl-C or SIGTERM.
    """
    target.image("api", tag)  # refuse an invalid tag before anything is deployed
    if gcloud.dry_run:
        sys.stdout.write(
            "# Placeholders: NUMBER is the number of the project, and -before the revision that has all traffic now.\n"
            "# A first revision gets all traffic at once.\n"
        )
    deployment = Deployment(target, gcloud, tag, Pace(watch=watch))
    for part in (only,) if only else PARTS:
        deployment.deploy(part)
