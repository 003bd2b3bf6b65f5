"""The records of an evaluation: `report.json`."""

from typing import Literal

from animals.records import Metrics, Probability, Record


class Share(Record):
    """A share of some pictures, with the interval in which the share of all such pictures probably lies."""

    count: int
    pictures: int
    share: Probability
    low: Probability
    """Lower end of the 95 % interval."""
    high: Probability
    """Upper end of it."""


class Robustness(Record):
    """Accuracy on corrupted pictures."""

    pictures: int
    clean: Probability
    """Accuracy on the same pictures as they are."""
    mean: Probability
    """Mean accuracy over all corruptions and severities."""
    accuracy: dict[str, tuple[Probability, ...]]
    """For each corruption, from the mildest severity to the worst."""


class Slice(Record):
    """Accuracy on a part of the test pictures."""

    name: str
    meaning: str
    accuracy: Share
    p_value: Probability
    """Probability of so low an accuracy if the part is like the rest, adjusted for the number of slices."""
    weak: bool
    """Significantly less accurate than the rest."""


class Comparison(Record):
    """The comparison of two versions on the same pictures."""

    against: str
    only_this: int
    """Pictures that only this version labels correctly."""
    only_other: int
    """Pictures that only the other labels correctly."""
    p_value: Probability
    """Of McNemar's exact test."""
    verdict: Literal["better", "worse", "no difference"]


class EvaluationReport(Record):
    """All measurements of a version: `reports/versions/<version>/report.json`."""

    version: str
    manifest_sha256: str
    accuracy: Share
    card_accuracy: Probability
    """Accuracy that was measured when the version was made."""
    metrics: Metrics
    temperature: float
    ece_before: Probability
    """Expected calibration error without the temperature."""
    ece_after: Probability
    """The same with it."""
    robustness: Robustness
    slices: tuple[Slice, ...]
    changed: dict[str, Share]
    """Pictures whose predicted label changes with something that should not matter."""
    comparison: Comparison | None
    not_compared: str
    """Why there is no comparison; empty where there is one."""
