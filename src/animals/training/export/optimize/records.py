"""What was found of each form of a model."""

from animals.records import Probability, Record


class Measured(Record):
    """One form of a model, on the test pictures, one picture at a time on one thread."""

    name: str
    size: int
    """Of its file, in bytes."""
    latency: float
    """Median over the pictures, in milliseconds: from the prepared picture to the logits."""
    accuracy: Probability
    same_label: Probability
    """Share of the pictures that get the same label as from torch in 32 bits."""


class Optimization(Record):
    """All forms of a published version: `reports/versions/<version>/optimize.json`."""

    version: str
    architecture: str
    side: int
    """Of the pictures, in pixels."""
    pictures: int
    processor: str
    packages: dict[str, str]
    serving: str
    """Name of the form that serves."""
    why: str
    """What the version's card says of that choice."""
    measured: tuple[Measured, ...]
    not_made: dict[str, str]
    """Forms that could not be made, and the reason."""
