"""Records in the bucket: published versions, and the base of all records."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Final, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, ValidationError

from animals.preprocess import InputSpec

ONNX: Final = "model.onnx"
INT8: Final = "model.int8.onnx"

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
    external_test: ExternalTest | None
    """None: no folder was named."""
    config: dict[str, JsonValue]
    """The whole configuration of the run, as JSON: what serves does not depend on it. `config.compose.read_run_config`
    returns it typed."""
    git_commit: str | None
    packages: dict[str, str]
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


def probability_columns(values: Mapping[str, T]) -> dict[str, T]:
    """Return the value of each label by the name of its column in tables."""
    return {f"p_{label}": value for label, value in values.items()}


def projection_columns(values: Iterable[T]) -> dict[str, T]:
    """Return the value of each dimension of the projection by the name of its column in tables."""
    return {f"projection_{dimension}": value for dimension, value in enumerate(values)}
