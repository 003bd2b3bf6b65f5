"""Requests and responses that go over HTTP between the backend, the report function, the page and other clients."""

from datetime import date
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from animals.preprocess import InputSpec
from animals.records import Metrics, Probability

CLASSIFY_PATH: Final = "/classify/"
BATCH_PATH: Final = "/classify/batch"
FEEDBACK_PATH: Final = "/post_data/"
V2_PATH: Final = "/v2"

MAX_PICTURES: Final = 64


class ApiModel(BaseModel):
    """Base of all requests and responses.

    A client ignores fields that a newer backend adds. JSON has no NaN, so numbers must be finite.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class Problem(ApiModel):
    """The reason why a request has no other response."""

    detail: str


class Prediction(ApiModel):
    """The prediction for one picture."""

    filename: str
    prediction: str
    confidence: Probability
    probabilities: dict[str, Probability]
    model_version: str
    prediction_id: str
    """A signed token that carries this prediction; feedback sends it back."""


class PictureProblem(ApiModel):
    """The reason why one picture of a batch has no prediction."""

    filename: str
    detail: str


class FeedbackRequest(ApiModel):
    """The true label of a picture that was classified."""

    model_config = ConfigDict(extra="forbid")

    x: str
    """What the picture shows: one of the labels of the prediction."""
    prediction_id: str
    picture: Annotated[str | None, Field(json_schema_extra={"contentEncoding": "base64"})] = None
    """The file that was classified, to be kept for training; only if the person agrees to that."""


class FeedbackResponse(ApiModel):
    """The feedback is stored in the bucket."""

    stored: Literal[True] = True
    id: str
    """Of the prediction and of the feedback record."""
    label: str
    picture: bool


class ServiceInfo(ApiModel):
    """The name of the service, and where to continue."""

    service: str
    model_version: str | None
    docs: str
    classify: str
    example: str


class ModelInfo(ApiModel):
    """The public part of the served version's card."""

    version: str
    promoted: AwareDatetime
    created: AwareDatetime
    architecture: str
    labels: Annotated[tuple[str, ...], Field(min_length=1)]
    """In the order of the model's outputs."""
    input: InputSpec
    data_title: str
    """Title of the data set that the version was trained on; empty if it has none."""
    metrics: Metrics
    unknown_below: Probability
    """A prediction with less confidence counts as none of the labels."""


class Health(ApiModel):
    """The process is alive."""

    status: Literal["alive"] = "alive"


class Readiness(ApiModel):
    """A model is loaded and has passed its self-test."""

    status: Literal["ready"] = "ready"
    model_version: str


class FeatureDrift(ApiModel):
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


class Drift(ApiModel):
    """The comparison of recent predictions with those for the test pictures."""

    checked: bool
    """False if there are too few pictures for a test."""
    drifted: bool
    reason: str
    features: tuple[FeatureDrift, ...] = ()


class DayOfFeedback(ApiModel):
    """Counts of the feedback on the predictions of one day."""

    date: date
    records: int
    right: int


class FeedbackSummary(ApiModel):
    """Counts of the feedback on the version's predictions."""

    records: int
    right: int
    """Records that confirm the prediction."""
    accuracy: Probability | None
    interval: tuple[Probability, Probability] | None
    """95 % confidence interval of the accuracy (Wilson)."""
    reference_accuracy: Probability
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


class DayOfPredictions(ApiModel):
    """Counts of the predictions of one day."""

    date: date
    records: int
    median_milliseconds: float | None
    """None without predictions."""


class PredictionsSummary(ApiModel):
    """Counts of the version's predictions."""

    records: int
    sampled: int
    """Records drawn at random for the drift tests and the plots."""
    by_day: tuple[DayOfPredictions, ...]
    """Each day of the period, the oldest first."""
    broken_count: int
    """Lines of the log, or whole objects, that cannot be used."""


class Decision(ApiModel):
    """The decision whether to retrain."""

    retrain: bool
    reasons: tuple[str, ...]


class Findings(ApiModel):
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
