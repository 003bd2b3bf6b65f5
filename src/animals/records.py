"""What is written to the bucket."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, ValidationError

from animals.preprocess import InputSpec

ONNX: Final = "model.onnx"
INT8: Final = "model.int8.onnx"

FEEDBACK: Final = "feedback/date="
"""Prefix of the names of feedback records."""

FEEDBACK_PICTURES: Final = "feedback/pictures/"
"""Prefix of the names of pictures that came with feedback."""

COMPACTED_FEEDBACK: Final = "compacted/feedback/"
"""Prefix of the names of feedback tables, one a day."""

T = TypeVar("T")

Probability = Annotated[float, Field(ge=0, le=1)]


def now() -> datetime:
    """Return the present in UTC and whole seconds, which people can read."""
    return datetime.now(UTC).replace(microsecond=0)


def explain(error: ValidationError) -> str:
    """Return what is wrong with a record in one line: each field and its problem."""
    problems = ((".".join(map(str, problem["loc"])), problem["msg"]) for problem in error.errors())
    return "; ".join(f"{field}: {message}" if field else message for field, message in problems)


class Record(BaseModel):
    """Base of all records: immutable, without unknown fields."""

    # JSON has no NaN: it would be written as null, and the record could not be read back
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class FileInfo(Record):
    """One file of a published version."""

    sha256: str
    size: int
    """In bytes."""


class LabelMetrics(Record):
    """Metrics on the test pictures of one label."""

    precision: Probability
    recall: Probability
    f1: Probability
    pictures: int


class Metrics(Record):
    """Metrics on the test split."""

    accuracy: Probability
    f1_macro: Probability
    f1_weighted: Probability
    loss: float
    """Mean cross-entropy of the calibrated probabilities, without label smoothing."""
    pictures: int
    per_label: dict[str, LabelMetrics]


class SplitInfo(Record):
    """The pictures of a run, by split."""

    manifest_sha256: str
    seed: int
    counts: dict[str, int]
    """Pictures in train, val and test."""
    test_sha256: str
    """Checksum of the list of test pictures and labels: equal for runs that can be compared picture by picture."""


class StartingWeights(Record):
    """The pretrained weights that a training began with."""

    source: str
    """The hub's name, the package, the file or the bucket URL."""
    sha256: str
    """Of the file, or of the tensors where they came from the hub."""
    license: str | None
    """As the source states it; None where it states none."""


class Training(Record):
    """The course of a training."""

    epochs: int
    """Epochs trained; fewer than planned if the run stopped early."""
    best_epoch: int
    """The epoch whose weights are published, counted from 1; 0: a head that was fitted before the first."""
    seconds: float
    """Duration of all epochs with their validation; of an interrupted epoch, of its later part."""
    hardware: str
    precision: str
    """`bf16`, `fp16` or `fp32`."""
    labels: dict[str, int]
    """Training pictures by label."""
    weights: StartingWeights | None = None
    """What the training began with; None: from scratch."""
    frozen: bool = False
    """Whether only a head was fitted on the features of these weights."""
    tuned: str | None = None
    """Which weights were tuned after the head; None: all of them, or none where `frozen`."""


class ExternalTest(Record):
    """Results on pictures from another source than those of the run."""

    folder: str
    pictures: int
    accuracy: Probability
    f1_macro: Probability


class ExportCheck(Record):
    """Differences between the exported model and the trained one, on test pictures."""

    pictures: int
    same_label: int
    max_probability_difference: float


class Quantized(Record):
    """The quantized model (8-bit integers) compared with the exported one (32-bit floats), on the test split."""

    accuracy: Probability | None
    """None if the model could not be quantized."""
    accuracy_fp32: Probability
    same_label: Probability | None
    """Share of the pictures that both give the same label."""
    pictures: int
    passed: bool
    """Whether it is accurate enough to serve; only then it is published."""
    reason: str
    """Why it serves or not, in one sentence."""


class Calibration(Record):
    """Calibration of the confidence: of 100 predictions with 80 % confidence, 80 should be right."""

    pictures: int
    """Validation pictures used to fit the temperature."""
    bins: int
    """Bins of equal width of the expected calibration error."""
    ece_before: Probability
    """Expected calibration error on the test split without the temperature."""
    ece_after: Probability
    """The same with the temperature."""


class Rejection(Record):
    """Threshold under which a prediction counts as "none of the labels", which the model itself never predicts."""

    threshold: Probability
    """Least confidence of an accepted prediction."""
    accepted: Probability
    """Share of the test pictures whose confidence reaches the threshold."""
    refused: Probability
    """Share of the pictures of none of the labels whose confidence is below the threshold."""
    pictures: int
    """Number of test pictures."""
    others: int
    """Number of pictures of none of the labels."""
    source: str
    """Description of the pictures of none of the labels; for other pictures the shares may differ."""


class Card(Record):
    """Everything known about a published version: `models/<version>/card.json`."""

    version: str
    created: AwareDatetime
    run: str
    architecture: str
    """timm's name of the model."""
    data_title: str
    """Name of the data set that it was trained on; empty if it has none."""
    labels: tuple[str, ...]
    """In the order of the model's outputs."""
    input: InputSpec
    metrics: Metrics
    temperature: Annotated[float, Field(gt=0)]
    """Divides the logits before the softmax."""
    calibration: Calibration
    rejection: Rejection
    split: SplitInfo
    training: Training
    export: ExportCheck
    quantized: Quantized
    external_test: ExternalTest | None = None
    """None: no folder was named."""
    config: dict[str, JsonValue]
    """The whole configuration of the run, as JSON: what serves does not depend on it. `config.compose.read_run_config`
    returns it typed."""
    git_commit: str | None
    packages: dict[str, str]
    """Versions of the libraries used."""
    files: dict[str, FileInfo]
    """All other files of the version, except the model card (README.md), which is generated from this one."""

    @property
    def serving_file(self) -> str:
        """Name of the file with the served model."""
        return INT8 if self.quantized.passed else ONNX

    def differing_labels(self, other: "Card") -> list[str]:
        """Return the labels that only one of two versions has, sorted."""
        return sorted(set(self.labels) ^ set(other.labels))


class Current(Record):
    """The served version: `models/current.json`."""

    version: str
    previous: str | None = None
    promoted: AwareDatetime = Field(default_factory=now)
    reason: str


class LoggedPrediction(Record):
    """A line of the prediction log: a prediction without its picture and without the client."""

    id: str
    """The same id as in feedback on this prediction; a line may be stored twice, with the same id."""
    time: AwareDatetime
    version: str
    prediction: str
    confidence: Probability
    probabilities: dict[str, Probability]
    brightness: float
    """Mean of the grey values in [0, 1] at the model's input size, as are contrast and sharpness (`features.py`)."""
    contrast: float
    sharpness: float
    width: int
    """Width of the upright picture before resizing, in pixels."""
    height: int
    projection: tuple[float, ...] = ()
    """Projection of the embedding; empty if the model has no such output."""
    milliseconds: Annotated[float, Field(ge=0, le=1e9)]
    """Time from the beginning of decoding to the prediction."""

    def row(self) -> dict[str, Any]:
        """Return the record as a row of a table with the columns of `reference.parquet`."""
        nested = self.model_dump(exclude={"probabilities", "projection"})
        return {**nested, **probability_columns(self.probabilities), **projection_columns(self.projection)}


class Feedback(Record):
    """A person's feedback on a prediction: `feedback/date=<day of the prediction>/<id>.json`."""

    id: str
    """Id of the prediction, the same as in the prediction log."""
    time: AwareDatetime
    """Time of the feedback; later feedback on the same prediction replaces earlier feedback."""
    answered: AwareDatetime
    """Time of the prediction."""
    version: str
    """Version that predicted."""
    label: str
    """The right label, according to the person: one of the labels of `probabilities`."""
    prediction: str
    confidence: Probability
    probabilities: dict[str, Probability]
    picture: str | None = None
    """Name of the object with the picture, if the person agreed to store it."""

    @property
    def name(self) -> str:
        """Name of its object: the same for all feedback on a prediction, so that the last one stays."""
        return feedback_name(self.answered, self.id)

    def row(self) -> dict[str, Any]:
        """Return the record as a row of a table with the columns of `reference.parquet`."""
        return {**self.model_dump(exclude={"probabilities"}), **probability_columns(self.probabilities)}


def feedback_name(answered: datetime, identity: str) -> str:
    """Return the name of the object with the feedback on a prediction."""
    return f"{FEEDBACK}{answered.astimezone(UTC):%Y-%m-%d}/{identity}.json"


def picture_name(answered: datetime, identity: str, time: datetime) -> str:
    """Return the name of the object with the picture of a feedback record.

    Each feedback on a prediction has a picture of its own, so that withdrawing one never removes another. The names
    sort by the time of the feedback.
    """
    return f"{pictures_of(answered, identity)}{time.astimezone(UTC):%Y%m%dT%H%M%S%f}.jpg"


def pictures_of(answered: datetime, identity: str) -> str:
    """Return the prefix of the names of all pictures of one prediction."""
    return f"{FEEDBACK_PICTURES}date={answered.astimezone(UTC):%Y-%m-%d}/{identity}-"


def pictured(name: str) -> str:
    """Return the id of the prediction that a picture of this name belongs to."""
    return name.rpartition("/")[2].partition("-")[0]


def probability_columns(values: Mapping[str, T]) -> dict[str, T]:
    """Return the value of each label by the name of its column in tables."""
    return {f"p_{label}": value for label, value in values.items()}


def projection_columns(values: Iterable[T]) -> dict[str, T]:
    """Return the value of each dimension of the projection by the name of its column in tables."""
    return {f"projection_{dimension}": value for dimension, value in enumerate(values)}
