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
"""Of the Open Inference Protocol."""

MAX_PICTURES: Final = 64
"""Largest number of pictures in one request."""


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
    """Of the prediction, as `POST /classify/` returned it."""
    picture: Annotated[str | None, Field(json_schema_extra={"contentEncoding": "base64"})] = None
    """The file that was classified, to be kept for training; only if the person agrees to that."""


class FeedbackResponse(ApiModel):
    """The feedback is stored in the bucket."""

    stored: Literal[True] = True
    id: str
    """Of the prediction and of the feedback record."""
    label: str
    """The label that the person gave."""
    picture: bool
    """Whether the picture is kept too."""


class ServiceInfo(ApiModel):
    """The name of the service, and where to continue."""

    service: str
    model_version: str | None
    """The version that serves, if there is one."""
    docs: str
    classify: str
    example: str


class ModelInfo(ApiModel):
    """The public part of the served version's card."""

    version: str
    promoted: AwareDatetime
    """When it became the version that serves."""
    created: AwareDatetime
    architecture: str
    labels: Annotated[tuple[str, ...], Field(min_length=1)]
    """In the order of the model's outputs."""
    input: InputSpec
    data_title: str | None
    """Title of the data set that the version was trained on; None where the run has none."""
    metrics: Metrics
    unknown_below: Probability | None
    """A prediction with less confidence counts as none of the labels; None where that was not measured."""


class Health(ApiModel):
    """The process is alive."""

    status: Literal["alive"] = "alive"


class Readiness(ApiModel):
    """A model is loaded and has passed its self-test."""

    status: Literal["ready"] = "ready"
    model_version: str


class FeatureDrift(ApiModel):
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


class Drift(ApiModel):
    """Whether what the service sees is still what the version was tested on."""

    checked: bool
    """False where there is too little to tell."""
    drifted: bool
    reason: str
    """In one sentence."""
    features: tuple[FeatureDrift, ...] = ()


class DayOfFeedback(ApiModel):
    """The answers of one day that people judged."""

    date: date
    records: int
    right: int


class FeedbackSummary(ApiModel):
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


class DayOfPredictions(ApiModel):
    """What was answered in one day."""

    date: date
    records: int
    median_milliseconds: float | None
    """None where nothing was answered."""


class PredictionsSummary(ApiModel):
    """What the version answered."""

    records: int
    sampled: int
    """Of these, drawn at random for the drift tests and the plots."""
    by_day: tuple[DayOfPredictions, ...]
    """Each day of the period, the oldest first."""
    broken_count: int
    """Lines of the log that cannot be used, or whole objects."""


class Decision(ApiModel):
    """Whether to train again."""

    retrain: bool
    reasons: tuple[str, ...]
    """Each one sentence."""


class Findings(ApiModel):
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
