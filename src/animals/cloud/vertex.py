"""`animals train-cloud`: a training on Vertex AI, on the first kind of machine that is available."""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from animals.cli import split_commas
from animals.cloud.gcloud import Command, Gcloud
from animals.cloud.target import GITHUB_TOKEN, WANDB_KEY, Image, Target
from animals.cloud.template import FILES, FILLED, fill_into
from animals.errors import CloudError, ConfigError

SPECS: Final = FILES / "vertex"

SUCCEEDED: Final = "JOB_STATE_SUCCEEDED"

# Google's errors, immediate or later, after which another kind of machine or region may be available
_UNAVAILABLE: Final = re.compile(
    r"RESOURCE_EXHAUSTED|exceeds? quota|quota exceeded|resources are insufficient|insufficient (?:resources|capacity)"
    r"|not supported in|stockout|out of capacity",
    re.IGNORECASE,
)
_GITHUB: Final = re.compile(r"github://[\w-]+/[\w.-]+")
_REQUEST: Final = re.compile(r"[a-z0-9_-]{1,63}")


@dataclass(frozen=True, slots=True)
class Machine:
    """A kind of machine for trainings."""

    image: Image
    spec: Mapping[str, str | int]
    """The same as in its own file, for jobs with several machines."""


MACHINES: Final[Mapping[str, Machine]] = {
    "cpu": Machine("train", {"machineType": "n2-standard-8"}),
    "l4": Machine("train_gpu", {"machineType": "g2-standard-8", "acceleratorType": "NVIDIA_L4", "acceleratorCount": 1}),
    "t4": Machine(
        "train_gpu", {"machineType": "n1-standard-8", "acceleratorType": "NVIDIA_TESLA_T4", "acceleratorCount": 1}
    ),
}


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """The options of `animals train-cloud`, where each is described."""

    overrides: tuple[str, ...] = ()
    gpu: str = "cpu"
    also_in: str = ""
    machines: int = 1
    spot: bool = False
    hours: int = 24
    tag: str = "latest"
    wandb: bool = False
    announce: str = ""
    feedback: bool = False
    request: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """A training job.

    Raises:
        ConfigError: an option is impossible.
    """

    target: Target
    options: TrainingOptions
    name: str = field(default_factory=lambda: f"animals-train-{datetime.now(UTC):%Y%m%d-%H%M%S}")

    def __post_init__(self) -> None:
        options, kinds = self.options, split_commas(self.options.gpu)
        if not kinds or not set(kinds) <= MACHINES.keys():
            raise ConfigError(f"--gpu is {options.gpu!r}; expected some of {', '.join(MACHINES)}, with commas between.")
        for region in self.regions:
            Target(project=self.target.project, region=region)  # refuses an impossible name
        if options.feedback and options.machines > 1:
            raise ConfigError(
                "--feedback needs --machines 1: several machines would read the feedback at different times, and train "
                "on different pictures."
            )
        if options.announce and not _GITHUB.fullmatch(options.announce):
            raise ConfigError(f"--announce is {options.announce!r}; expected github://OWNER/REPOSITORY.")
        if options.request and not _REQUEST.fullmatch(options.request):
            raise ConfigError(f"--request is {options.request!r}; expected only lowercase letters, digits, _ and -.")

    @property
    def regions(self) -> tuple[str, ...]:
        """Regions in the order of attempts."""
        return (self.target.region, *split_commas(self.options.also_in))

    @property
    def attempts(self) -> list[tuple[str, str]]:
        """Kinds of machine and regions in the order of attempts."""
        return [(kind, region) for kind in split_commas(self.options.gpu) for region in self.regions]

    def write_file(self, kind: str) -> Path:
        """Write the file with the job's specification, and return its path."""
        options, machine = self.options, MACHINES[kind]
        overrides = [*_overrides(self.target, options)]
        if "acceleratorType" in machine.spec:
            overrides.append("trainer.accelerator=gpu")  # ends if the GPU, which costs money, cannot be used
        file, several = kind, {}
        if options.machines > 1:
            overrides += ["trainer=ddp", f"trainer.nodes={options.machines}"]
            file, several = "machines", {"MACHINE": json.dumps(machine.spec), "OTHERS": str(options.machines - 1)}
        values = {
            # JSON, which is valid YAML
            "ARGS": json.dumps(overrides, ensure_ascii=False),
            "ENV": json.dumps([{"name": name, "value": value} for name, value in _environment(self.target, options)]),
            "IMAGE": self.target.image(machine.image, options.tag),
            "OUTPUT": f"{self.target.bucket}/runs/{self.name}/",
            "SERVICE_ACCOUNT": self.target.account("trainer"),
            "STRATEGY": "SPOT" if options.spot else "STANDARD",
            "TIMEOUT": f"{3600 * options.hours}s",
        }
        return fill_into(FILLED / "vertex" / kind, SPECS / f"{file}.yaml", values | several)

    def command(self, kind: str, region: str, file: Path) -> Command:
        """Return the command that starts the job and prints its full name."""
        options = self.options
        labels = {"app": "animals"} | ({"request": options.request} if options.request else {})
        several = f"{options.machines} machines" if options.machines > 1 else "one machine"
        return Command(
            (
                *("gcloud", "ai", "custom-jobs", "create", f"--project={self.target.project}", f"--region={region}"),
                *(f"--display-name={self.name}", f"--config={file.as_posix()}"),
                f"--labels={','.join(f'{key}={value}' for key, value in labels.items())}",
                "--format=value(name)",
            ),
            f"start the training {self.name} on {several} of kind {kind} in {region}",
        )


def _overrides(target: Target, options: TrainingOptions) -> Iterator[str]:
    keys = {word.partition("=")[0].lstrip("+") for word in options.overrides}
    yield from options.overrides
    if "trainer.resume" not in keys:
        yield "trainer.resume=auto"  # for a machine that replaces a preempted one
    if options.feedback:
        yield f"data.extra={target.bucket}/feedback"
    if options.announce and "promote" not in keys:
        yield "promote=false"  # the workflow tests and promotes the version
    elif options.feedback and "gate" not in keys:
        yield "gate=true"  # only the trainer itself compares the version


def _environment(target: Target, options: TrainingOptions) -> Iterator[tuple[str, str]]:
    yield "ANIMALS_BUCKET", target.bucket
    if options.wandb:
        yield "ANIMALS_WANDB_KEY_NAME", target.secret(WANDB_KEY)
    else:
        yield "WANDB_MODE", "offline"
    if options.announce:
        yield "ANIMALS_ANNOUNCE", options.announce
        yield "ANIMALS_GITHUB_TOKEN_NAME", target.secret(GITHUB_TOKEN)


def train(target: Target, gcloud: Gcloud, options: TrainingOptions, *, follow: bool = False) -> None:
    """Start a training, and show its log until it ends if `follow`; or print the commands that would.

    Raises:
        ConfigError: an option is impossible.
        CloudError: no kind of machine is available; or the training failed while it was followed.
    """
    job = Job(target, options)
    if options.request and _is_started(gcloud, job):
        sys.stdout.write(f"A training was already started for {options.request}.\n")
        return
    for number, (kind, region) in enumerate(job.attempts):
        following = job.attempts[number + 1 :]
        try:
            _start(gcloud, job, kind, region, follow=follow)
        except CloudError as error:
            if not following or not _UNAVAILABLE.search(str(error)):
                raise
            sys.stdout.write(f"{error}\nTrying {following[0][0]} in {following[0][1]} instead.\n")
        else:
            if not gcloud.dry_run:
                return
            if following:
                sys.stdout.write("\n# if that kind of machine is not available\n")


def _is_started(gcloud: Gcloud, job: Job) -> bool:
    """Return whether the same request started a job before: Pub/Sub may deliver a message twice."""
    request = job.options.request
    for region in job.regions:
        words = ("gcloud", "ai", "custom-jobs", "list", f"--project={job.target.project}", f"--region={region}")
        filters = (f"--filter=labels.request={request}", "--format=value(name)")
        if gcloud.output(Command((*words, *filters), f"list trainings for {request} in {region}")).strip():
            return True
    return False


def _start(gcloud: Gcloud, job: Job, kind: str, region: str, *, follow: bool) -> None:
    """Start a job on one kind of machine, and follow it or print the command that does."""
    file = job.write_file(kind)
    if gcloud.dry_run:
        sys.stdout.write(f"# {file.as_posix()} contains:\n")
        sys.stdout.writelines(f"#   {line}\n" for line in file.read_text(encoding="utf-8").splitlines())
    name = gcloud.output(job.command(kind, region, file)).strip() or "JOB"
    location = (f"--project={job.target.project}", f"--region={region}")
    logs = Command(("gcloud", "ai", "custom-jobs", "stream-logs", name, *location), "show its log until it ends")
    if follow:
        gcloud.stream(logs)
        _check_result(gcloud, name, location)
    elif not gcloud.dry_run:
        sys.stdout.write(f"{job.name} trains on {kind} in {region}: {name}\nIts log: {logs}\n")


def _check_result(gcloud: Gcloud, name: str, location: tuple[str, ...]) -> None:
    """Raise an error if a job failed, which its log does not say."""
    fields = "--format=value(state,error.message)"
    command = Command(("gcloud", "ai", "custom-jobs", "describe", name, *location, fields), "read the job's result")
    state, _, reason = gcloud.output(command).strip().partition("\t")
    if gcloud.dry_run:
        return
    if state != SUCCEEDED:
        raise CloudError(f"The training {name} ended as {state or 'unknown'}: {reason or 'see its log'}.")
    sys.stdout.write(f"The training {name} succeeded.\n")
