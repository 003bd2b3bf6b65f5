"""What is written to the bucket or sent over HTTP."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from animals.preprocess import InputSpec

ONNX: Final = "model.onnx"
INT8: Final = "model.int8.onnx"

FEEDBACK: Final = "feedback/date="
"""How the names of judgements begin."""

FEEDBACK_PICTURES: Final = "feedback/pictures/"
"""How the names of their pictures begin."""

COMPACTED_FEEDBACK: Final = "compacted/feedback/"
"""How the names of tables begin in which judgements of a day are kept together."""

T = TypeVar("T")

Probability = Annotated[float, Field(ge=0, le=1)]


def now() -> datetime:
    """The present, in UTC and whole seconds: records are read by people too."""
    return datetime.now(UTC).replace(microsecond=0)


def explain(error: ValidationError) -> str:
    """What is wrong with a record, in one line: each field and its problem."""
    problems = ((".".join(map(str, problem["loc"])), problem["msg"]) for problem in error.errors())
    return "; ".join(f"{field}: {message}" if field else message for field, message in problems)


class Record(BaseModel):
    """Base of all records: unknown fields are kept out, a record once made does not change."""

    # JSON has no NaN: it would be written as null, and the record could not be read back
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class FileInfo(Record):
    """One file of a published version."""

    sha256: str
    size: int
    """In bytes."""


class LabelMetrics(Record):
    """How the model does on the test pictures of one label."""

    precision: Probability
    recall: Probability
    f1: Probability
    pictures: int


class Metrics(Record):
    """How the model does on the test split."""

    accuracy: Probability
    f1_macro: Probability
    f1_weighted: Probability
    loss: float
    """Mean cross-entropy of the calibrated probabilities, without label smoothing."""
    pictures: int
    per_label: dict[str, LabelMetrics]


class SplitInfo(Record):
    """Which pictures a run saw, and which it did not."""

    manifest_sha256: str
    seed: int
    counts: dict[str, int]
    """Pictures in train, val and test."""
    test_sha256: str | None = None
    """Of the test pictures with their labels; None in versions from before there was one."""

    def same_test(self, other: "SplitInfo") -> bool:
        """Whether both were measured on the same pictures, so that their answers can be compared one by one."""
        known = self.test_sha256 is not None and self.test_sha256 == other.test_sha256
        return known or self.manifest_sha256 == other.manifest_sha256


class Training(Record):
    """How the weights came about."""

    epochs: int
    """That were trained; fewer than planned where the run stopped early."""
    best_epoch: int
    """After which the weights are taken, counted from 1."""
    seconds: float
    """Of all epochs with their validation; of one that was interrupted, of its later part."""
    hardware: str
    precision: str
    """`bf16`, `fp16` or `fp32`."""
    labels: dict[str, int]
    """Pictures that were trained on, by label."""


class ExportCheck(Record):
    """How far the exported model is from the trained one, on test pictures."""

    pictures: int
    same_label: int
    max_probability_difference: float


class Quantized(Record):
    """How the exported model in 8-bit integers does against the one in 32-bit numbers, on the whole test split."""

    accuracy: Probability | None
    """None where no model in 8 bits could be made."""
    accuracy_fp32: Probability
    same_label: Probability | None
    """Share of the pictures to which both give the same label."""
    pictures: int
    passed: bool
    """Whether it is good enough to serve: only then is it published."""
    reason: str
    """Why it serves or does not, in one sentence."""


class Calibration(Record):
    """How far the confidence can be taken at its word: 80 of 100 answers given with 80 % should be right."""

    pictures: int
    """Validation pictures that the temperature was fitted on."""
    bins: int
    """Of equal width, that the expected calibration error is measured in."""
    ece_before: Probability
    """Expected calibration error on the test split without the temperature."""
    ece_after: Probability
    """The same with it."""


class Rejection(Record):
    """When an answer should count as "none of the labels", which the model itself never says."""

    threshold: Probability
    """An answer with less confidence counts as none of the labels."""
    accepted: Probability
    """Share of the test pictures that are answered with that confidence or more."""
    refused: Probability
    """Share of the pictures of none of the labels that are answered with less."""
    pictures: int
    """Test pictures that were asked about."""
    others: int
    """Pictures of none of the labels that were asked about."""
    source: str
    """What those show: what holds for them need not hold for others."""


class Card(Record):
    """All that is known of a published version: `models/<version>/card.json`."""

    version: str
    created: AwareDatetime
    run: str
    architecture: str
    """timm's name of the model."""
    labels: tuple[str, ...]
    """In the order of the model's outputs."""
    input: InputSpec
    metrics: Metrics
    temperature: Annotated[float, Field(gt=0)] = 1.0
    """What the logits are divided by before they become probabilities; 1 where none was fitted."""
    calibration: Calibration | None = None
    rejection: Rejection | None = None
    """None in versions from before there was one."""
    split: SplitInfo
    training: Training | None = None
    """None in versions from before there was one."""
    export: ExportCheck
    quantized: Quantized | None = None
    """None in versions from before there was one."""
    config: dict[str, Any]
    """The whole configuration of the run."""
    git_commit: str | None
    packages: dict[str, str]
    """Versions of the libraries that made it."""
    files: dict[str, FileInfo]
    """Every other file of the version except the model card for people, which is made from this one."""

    @property
    def serving_file(self) -> str:
        """Name of the file that answers pictures."""
        return INT8 if self.quantized and self.quantized.passed else ONNX

    def differing_labels(self, other: "Card") -> list[str]:
        """Return the labels that only one of two versions has, sorted."""
        return sorted(set(self.labels) ^ set(other.labels))


class Current(Record):
    """The version that serves: `models/current.json`."""

    version: str
    previous: str | None = None
    promoted: AwareDatetime = Field(default_factory=now)
    reason: str


class Prediction(Record):
    """The answer to one picture."""

    filename: str
    prediction: str
    confidence: Probability
    probabilities: dict[str, Probability]
    model_version: str
    prediction_id: str
    """A signed token that carries this answer; feedback sends it back."""


class LoggedPrediction(Record):
    """One line of the prediction log: what was asked and answered, without the picture and without who asked."""

    id: str
    """The same as in feedback on this answer; an entry may be stored twice, and this tells."""
    time: AwareDatetime
    version: str
    prediction: str
    confidence: Probability
    probabilities: dict[str, Probability]
    brightness: float
    """Mean of the grey values in [0, 1], at the model's size; so too contrast and sharpness, see `features.py`."""
    contrast: float
    sharpness: float
    width: int
    """Of the picture as it was sent, upright, in pixels."""
    height: int
    projection: tuple[float, ...] = ()
    """Of the embedding, see `outputs.ONNX_PROJECTION`; empty where the model does not give it."""
    milliseconds: Annotated[float, Field(ge=0, le=1e9)]
    """From the beginning of decoding to the answer."""

    def row(self) -> dict[str, Any]:
        """As a row of a table, whose columns are called as those of `reference.parquet`."""
        nested = self.model_dump(exclude={"probabilities", "projection"})
        return {**nested, **probability_columns(self.probabilities), **projection_columns(self.projection)}


class Feedback(Record):
    """One answer, judged by a person: `feedback/date=<day of the answer>/<id>.json`."""

    id: str
    """Of the answer, the same as in the prediction log."""
    time: AwareDatetime
    """When it was judged; a later judgement of the same answer takes the place of an earlier one."""
    answered: AwareDatetime
    version: str
    """That answered."""
    label: str
    """What the person says is on the picture: one of the labels of `probabilities`."""
    prediction: str
    confidence: Probability
    probabilities: dict[str, Probability]
    picture: str | None = None
    """Name of the object with the picture, where the person let it be kept."""

    @property
    def name(self) -> str:
        """Of its object: the same for every judgement of an answer, so that the last one stays."""
        return feedback_name(self.answered, self.id)

    def row(self) -> dict[str, Any]:
        """As a row of a table, whose columns are called as those of `reference.parquet`."""
        return {**self.model_dump(exclude={"probabilities"}), **probability_columns(self.probabilities)}


def feedback_name(answered: datetime, identity: str) -> str:
    """Of the object that holds the judgement of an answer."""
    return f"{FEEDBACK}{answered.astimezone(UTC):%Y-%m-%d}/{identity}.json"


def picture_name(answered: datetime, identity: str, judged: datetime) -> str:
    """Of the object that holds the picture that was judged.

    Each judgement of an answer has its own, so that who takes a picture back takes away nobody else's. They sort by the
    time of judging.
    """
    return f"{pictures_of(answered, identity)}{judged.astimezone(UTC):%Y%m%dT%H%M%S%f}.jpg"


def pictures_of(answered: datetime, identity: str) -> str:
    """With which the names of all pictures of one answer begin."""
    return f"{FEEDBACK_PICTURES}date={answered.astimezone(UTC):%Y-%m-%d}/{identity}-"


def pictured(name: str) -> str:
    """Identity of the answer that a picture of that name belongs to."""
    return name.rpartition("/")[2].partition("-")[0]


def probability_columns(values: Mapping[str, T]) -> dict[str, T]:
    """What each label has, by the name of its column in tables."""
    return {f"p_{label}": value for label, value in values.items()}


def projection_columns(values: Iterable[T]) -> dict[str, T]:
    """What each dimension of the projection has, by the name of its column in tables."""
    return {f"projection_{dimension}": value for dimension, value in enumerate(values)}


class Problem(Record):
    """An answer that is not the one hoped for."""

    detail: str
