"""What a report says in numbers: `summary.json`, and the answer to `?format=json`."""

from datetime import date

from pydantic import AwareDatetime

from animals.records import Probability, Record


class FeatureDrift(Record):
    """How one feature of what is asked differs from the reference; docs/design/drift.md explains the tests."""

    feature: str
    """`prediction` (the mix of labels), `confidence`, `probabilities`, `projection`, or one of `features.FEATURES`."""
    test: str
    statistic: float
    """How large the difference is, in the test's unit."""
    threshold: float
    """From which size on it matters."""
    p_value: Probability
    """How likely it would be by chance alone."""
    drifted: bool
    """Whether it matters and is no chance."""


class Drift(Record):
    """Whether what the service sees is still what the version was tested on."""

    checked: bool
    """False where there is too little to tell."""
    drifted: bool
    reason: str
    """In one sentence."""
    features: tuple[FeatureDrift, ...] = ()


class DayOfFeedback(Record):
    """The answers of one day that people judged."""

    date: date
    records: int
    right: int


class FeedbackSummary(Record):
    """What people said of the version's answers."""

    records: int
    right: int
    """Answers whose label the person confirmed."""
    accuracy: Probability | None
    """None without a record."""
    interval: tuple[Probability, Probability] | None
    """In which the accuracy lies with 95 %, by Wilson."""
    reference_accuracy: Probability
    """On the test split."""
    by_day: tuple[DayOfFeedback, ...]
    """Each day of the period, the oldest first."""
    labels: dict[str, int]
    """Records by what people said is on the picture; every label of the version."""
    versions: dict[str, int]
    """Records of the period by the version that answered: of all versions."""
    sampled: int
    """Of these, drawn at random for the plots."""
    broken: tuple[str, ...]
    """Names of records that cannot be used, at most twenty."""
    broken_count: int
    needed: int
    """Records that a performance report needs."""


class DayOfPredictions(Record):
    """What was answered in one day."""

    date: date
    records: int
    median_milliseconds: float | None
    """None where nothing was answered."""


class PredictionsSummary(Record):
    """What the version answered."""

    records: int
    sampled: int
    """Of these, drawn at random for the drift tests and the plots."""
    by_day: tuple[DayOfPredictions, ...]
    """Each day of the period, the oldest first."""
    broken_count: int
    """Lines of the log that cannot be used, or whole objects."""


class Decision(Record):
    """Whether to train again."""

    retrain: bool
    reasons: tuple[str, ...]
    """Each one sentence."""


class Findings(Record):
    """All that the decision is made from."""

    created: AwareDatetime
    days: int
    """How many, up to the day of `created` in UTC."""
    version: str
    """Whose answers these are, and whose test split they are compared with."""
    feedback: FeedbackSummary
    predictions: PredictionsSummary
    drift: Drift
    days_drifted: int
    """Last days in a row whose predictions drifted; days with too few of them are passed over."""
    pictures: int
    """Labelled pictures that people let be kept, of answers given after the version was made."""


class Summary(Findings):
    """A report in numbers."""

    decision: Decision
