"""The numbers of a report: `summary.json`, and the response to `?format=json`."""

from datetime import date

from pydantic import AwareDatetime

from animals.records import Probability, Record


class FeatureDrift(Record):
    """The drift of one feature; docs/design/drift.md explains the tests."""

    feature: str
    """`prediction` (the shares of the labels), `confidence`, `probabilities`, `projection`, or one of
    `features.FEATURES`."""
    test: str
    statistic: float
    """Effect size, in the test's unit."""
    threshold: float
    """Least effect size that counts as drift."""
    p_value: Probability
    drifted: bool
    """Whether the effect is large and significant."""


class Drift(Record):
    """The comparison of recent predictions with those for the test pictures."""

    checked: bool
    """False if there are too few pictures for a test."""
    drifted: bool
    reason: str
    """One sentence."""
    features: tuple[FeatureDrift, ...] = ()


class DayOfFeedback(Record):
    """Counts of the feedback on the predictions of one day."""

    date: date
    records: int
    right: int


class FeedbackSummary(Record):
    """Counts of the feedback on the version's predictions."""

    records: int
    right: int
    """Records that confirm the prediction."""
    accuracy: Probability | None
    """None without records."""
    interval: tuple[Probability, Probability] | None
    """95 % confidence interval of the accuracy (Wilson)."""
    reference_accuracy: Probability
    """Accuracy on the test split."""
    by_day: tuple[DayOfFeedback, ...]
    """Each day of the period, the oldest first."""
    labels: dict[str, int]
    """Records by the right label, for every label of the version."""
    versions: dict[str, int]
    """Records of the period by version, for all versions."""
    sampled: int
    """Records drawn at random for the plots."""
    broken: tuple[str, ...]
    """Names of records that cannot be used, at most twenty."""
    broken_count: int
    needed: int
    """Records needed for a performance report."""


class DayOfPredictions(Record):
    """Counts of the predictions of one day."""

    date: date
    records: int
    median_milliseconds: float | None
    """None without predictions."""


class PredictionsSummary(Record):
    """Counts of the version's predictions."""

    records: int
    sampled: int
    """Records drawn at random for the drift tests and the plots."""
    by_day: tuple[DayOfPredictions, ...]
    """Each day of the period, the oldest first."""
    broken_count: int
    """Lines of the log, or whole objects, that cannot be used."""


class Decision(Record):
    """The decision whether to retrain."""

    retrain: bool
    reasons: tuple[str, ...]
    """One sentence each."""


class Findings(Record):
    """Everything that the decision depends on."""

    created: AwareDatetime
    days: int
    """Length of the period, which ends with the day of `created` in UTC."""
    version: str
    """The version whose predictions are compared with its test split."""
    feedback: FeedbackSummary
    predictions: PredictionsSummary
    drift: Drift
    days_drifted: int
    """Number of latest days in a row with drift; days with too few predictions are skipped."""
    pictures: int
    """New labelled pictures: stored with consent, for predictions made after the version was created."""


class Summary(Findings):
    """The numbers of a report."""

    decision: Decision
