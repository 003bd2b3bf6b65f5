"""Requests and responses that go over HTTP between the backend, the page and other clients."""

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
