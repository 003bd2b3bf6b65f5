"""What reports/README.md shows from measurements: for each part, what measures it, how long, and what writes it."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from review import engineering, models, services

Command = tuple[str, ...]

PHOTOGRAPHS: Final = "FOLDER"
"""Stands in a command for the folder that `invoke report --photographs` names; without one it is left out."""

Render = Callable[[Path], Sequence[str]]
"""The folder with the results -> lines of Markdown."""


@dataclass(kw_only=True, slots=True, frozen=True)
class Section:
    """One part of the page, or several that are measured together."""

    about: str
    parts: dict[str, Render]
    """Name of a part of the page -> what makes it."""
    commands: tuple[Command, ...]
    """That measure it; each begins with `invoke`, or with a file in profiling/."""
    quick: tuple[Command, ...] = ()
    """The same on less, where there is less; otherwise none: it takes as long as it takes, and is left as it is."""
    minutes: int
    """That the commands took, about, on two CPUs."""


def _training(side: str, *words: str) -> Command:
    out = f"reports/training_speed_{side}.json"
    return ("training_bench.py", "data/sample", "--side", side, *words, "--out", out)


SECTIONS: Final = {
    "project": Section(
        about="code, tests, contracts, pins and workflows",
        parts={
            "code": engineering.code,
            "tests": engineering.tests,
            "workflows": engineering.workflows,
            "pins": engineering.pins,
        },
        commands=(("invoke", "test"), ("project.py",)),
        quick=(("project.py",),),
        minutes=25,
    ),
    "sample": Section(
        about="a training on the sample, and what its version is worth",
        parts={"sample": models.sample},
        commands=(("sample_run.py",),),
        quick=(("sample_run.py", "trainer.epochs=2"),),
        minutes=7,
    ),
    "defaults": Section(
        about="what each default of the trainer gains, on the sample and on --photographs",
        parts={"defaults": models.defaults},
        commands=(("training_defaults.py", "--photographs", PHOTOGRAPHS, "--epochs", "8"),),
        minutes=120,
    ),
    "training": Section(
        about="how fast the trainer is beside others",
        parts={"training": models.training},
        commands=(_training("64", "--steps", "25"), _training("224", "--steps", "12", "--warmup", "3")),
        quick=(
            _training("64", "--steps", "4", "--warmup", "1", "--repeat", "1"),
            _training("224", "--steps", "2", "--warmup", "1", "--repeat", "1"),
        ),
        minutes=25,
    ),
    "containers": Section(
        about="the images: size, start and memory",
        parts={"containers": engineering.containers},
        commands=(("containers.py", "data/bucket", "data/sample"),),
        minutes=5,
    ),
    "serving": Section(
        about="how fast the backend is beside others",
        parts={"serving": services.serving},
        commands=(("serving_bench.py", "--others", "--seconds", "4"),),
        quick=(("serving_bench.py", "--seconds", "1", "--repeat", "1"),),
        minutes=8,
    ),
    "load": Section(
        about="what users who come together see",
        parts={"load": services.load},
        commands=tuple(("invoke", "load-test", "--users", str(it), "--seconds", "30") for it in services.USERS),
        quick=tuple(("invoke", "load-test", "--users", str(it), "--seconds", "5") for it in services.USERS),
        minutes=4,
    ),
    "soak": Section(
        about="whether the backend's memory stays flat",
        parts={"soak": services.soak},
        commands=(("serving_soak.py",),),
        quick=(("serving_soak.py", "--seconds", "30", "--every", "2"),),
        minutes=6,
    ),
    "monitoring": Section(
        about="how long a report takes",
        parts={"monitoring": services.monitoring},
        commands=(("report_bench.py",),),
        quick=(("report_bench.py", "--records", "7000", "14000", "--loose", "500"),),
        minutes=10,
    ),
    "drift": Section(
        about="when the drift tests fire",
        parts={"drift": models.drift},
        commands=(("drift_experiment.py", "--seed", "2"),),
        minutes=10,
    ),
    "cost": Section(
        about="what it costs",
        parts={"cost": services.cost},
        commands=(("sizes.py",), ("cost.py",)),
        quick=(("cost.py",),),
        minutes=2,
    ),
}
"""Name -> section, in the order in which they are measured: the costs follow from what stands before them."""

PARTS: Final = {name: made for section in SECTIONS.values() for name, made in section.parts.items()}
"""Name of a part of the page -> what makes it."""


def words(command: Command, profiling: Path, photographs: str) -> list[str]:
    """The command as it is started, with this Python; none if it needs photographs and there are none."""
    if PHOTOGRAPHS in command and not photographs:
        return []
    first, *others = (photographs if word == PHOTOGRAPHS else word for word in command)
    script = ["-m", "invoke"] if first == "invoke" else [str(profiling / first)]
    return [sys.executable, *script, *others]


def shown(command: Command) -> str:
    """The command as a person types it."""
    first, *others = command
    return " ".join([*(["invoke"] if first == "invoke" else ["python", f"profiling/{first}"]), *others])
