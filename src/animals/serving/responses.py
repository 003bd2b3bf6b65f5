"""What the backend answers besides predictions."""

from typing import Literal

from pydantic import AwareDatetime

from animals.preprocess import InputSpec
from animals.records import Metrics, Probability, Record


class Welcome(Record):
    """What this service is and where to go on."""

    service: str
    model_version: str | None
    """The version that serves, if one does."""
    docs: str
    classify: str
    example: str


class ModelInfo(Record):
    """The public part of the served version's card."""

    version: str
    promoted: AwareDatetime
    """When it became the version that serves."""
    created: AwareDatetime
    architecture: str
    labels: tuple[str, ...]
    """In the order of the model's outputs."""
    input: InputSpec
    data_title: str | None
    """Title of the data set that the version was trained on; None where the run has none."""
    metrics: Metrics
    unknown_below: Probability | None
    """An answer with less confidence counts as none of the labels; None where that was not measured."""


class Health(Record):
    """The process is alive."""

    status: Literal["alive"] = "alive"


class Readiness(Record):
    """A model is loaded and has answered its self-test."""

    status: Literal["ready"] = "ready"
    model_version: str
