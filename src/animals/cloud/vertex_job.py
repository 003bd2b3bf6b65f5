"""One training on Vertex AI: the file that describes it, and the command that starts it."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from animals.cli import split_commas
from animals.cloud.gcloud import Command
from animals.cloud.target import GITHUB_TOKEN, WANDB_KEY, Image, Place
from animals.cloud.template import FILES, FILLED, fill_into
from animals.errors import ConfigError

SPECS: Final = FILES / "vertex"

_GITHUB: Final = re.compile(r"github://[\w-]+/[\w.-]+")
_REQUEST: Final = re.compile(r"[a-z0-9_-]{1,63}")


@dataclass(frozen=True, slots=True)
class Machine:
    """A kind of machine that trains."""

    image: Image
    spec: Mapping[str, str | int]
    """As in its own file, for several of them."""

    @property
    def overrides(self) -> tuple[str, ...]:
        """A GPU is paid for: without it the training ends, rather than going on slowly."""
        return ("trainer.accelerator=gpu",) if "acceleratorType" in self.spec else ()


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A training, whatever it will run on."""

    place: Place
    name: str
    kinds: tuple[str, ...]
    regions: tuple[str, ...]
    machines: int
    overrides: tuple[str, ...]
    environment: Mapping[str, str]
    spot: bool
    hours: int
    tag: str
    request: str

    @classmethod
    def of(cls, place: Place, options: TrainingOptions) -> "Job":
        """Return the job that the options describe.

        Raises:
            ConfigError: an option is impossible.
        """
        kinds, regions = tuple(split_commas(options.gpu)), (place.region, *split_commas(options.also_in))
        if not kinds or not set(kinds) <= MACHINES.keys():
            raise ConfigError(f"--gpu is {options.gpu!r}; expected some of {', '.join(MACHINES)}, with commas between.")
        for region in regions:
            Place(project=place.project, region=region)  # says what is wrong with its name
        if options.feedback and options.machines > 1:
            raise ConfigError(
                "--feedback needs --machines 1: each machine would find the feedback of another moment, and they would "
                "not train on the same pictures."
            )
        if options.announce and not _GITHUB.fullmatch(options.announce):
            raise ConfigError(f"--announce is {options.announce!r}; expected github://OWNER/REPOSITORY.")
        if options.request and not _REQUEST.fullmatch(options.request):
            raise ConfigError(f"--request is {options.request!r}; expected small letters, digits, _ and - only.")
        return cls(
            place=place,
            name=f"animals-train-{datetime.now(UTC):%Y%m%d-%H%M%S}",
            kinds=kinds,
            regions=regions,
            machines=options.machines,
            overrides=tuple(_overrides(place, options)),
            environment=dict(_environment(place, options)),
            spot=options.spot,
            hours=options.hours,
            tag=options.tag,
            request=options.request,
        )

    def tries(self) -> Iterator[tuple[str, str]]:
        """Kinds of machine and regions, in the order in which they are tried."""
        for kind in self.kinds:
            for region in self.regions:
                yield kind, region

    def file(self, kind: str) -> Path:
        """Write the file that gcloud sends."""
        machine = MACHINES[kind]
        overrides = [*self.overrides, *machine.overrides]
        several: dict[str, str] = {}
        if self.machines > 1:
            overrides += ["trainer=ddp", f"trainer.nodes={self.machines}"]
            several = {"MACHINE": json.dumps(machine.spec), "OTHERS": str(self.machines - 1)}
        environment = [{"name": name, "value": value} for name, value in self.environment.items()]
        values = {
            # JSON, which is YAML too
            "ARGS": json.dumps(overrides, ensure_ascii=False),
            "ENV": json.dumps(environment, ensure_ascii=False),
            "IMAGE": self.place.image(machine.image, self.tag),
            "OUTPUT": f"{self.place.bucket}/runs/{self.name}/",
            "SERVICE_ACCOUNT": self.place.account("trainer"),
            "STRATEGY": "SPOT" if self.spot else "STANDARD",
            "TIMEOUT": f"{3600 * self.hours}s",
        }
        file = "machines" if several else kind
        return fill_into(FILLED / "vertex" / kind, SPECS / f"{file}.yaml", values | several)

    def command(self, kind: str, region: str, file: Path) -> Command:
        """Return the command that starts the job and prints its full name."""
        labels = {"app": "animals"} | ({"request": self.request} if self.request else {})
        several = f"{self.machines} machines" if self.machines > 1 else "one machine"
        return Command(
            (
                *("gcloud", "ai", "custom-jobs", "create", f"--project={self.place.project}", f"--region={region}"),
                *(f"--display-name={self.name}", f"--config={file.as_posix()}"),
                f"--labels={','.join(f'{key}={value}' for key, value in labels.items())}",
                "--format=value(name)",
            ),
            f"start the training {self.name} on {several} of kind {kind} in {region}",
        )


def _overrides(place: Place, options: TrainingOptions) -> Iterator[str]:
    keys = {word.partition("=")[0].lstrip("+") for word in options.overrides}
    yield from options.overrides
    if "trainer.resume" not in keys:
        yield "trainer.resume=auto"  # a machine that takes the place of another goes on
    if options.feedback:
        yield f"data.extra={place.bucket}/feedback"
    if options.announce and "promote" not in keys:
        yield "promote=false"  # who is told of the version tests and promotes it
    elif options.feedback and "gate" not in keys:
        yield "gate=true"  # nobody looks at it but the trainer


def _environment(place: Place, options: TrainingOptions) -> Iterator[tuple[str, str]]:
    yield "ANIMALS_BUCKET", place.bucket
    if options.wandb:
        yield "ANIMALS_WANDB_KEY_NAME", place.secret(WANDB_KEY)
    else:
        yield "WANDB_MODE", "offline"
    if options.announce:
        yield "ANIMALS_ANNOUNCE", options.announce
        yield "ANIMALS_GITHUB_TOKEN_NAME", place.secret(GITHUB_TOKEN)
