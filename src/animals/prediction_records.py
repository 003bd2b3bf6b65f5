"""Records in the bucket about predictions: the prediction log, and the feedback of people with its pictures."""

from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import AwareDatetime, Field

from animals.records import Probability, Record

# prefixes of the names of feedback records, of their pictures, and of the tables of records, one a day
FEEDBACK: Final = "feedback/date="
FEEDBACK_PICTURES: Final = "feedback/pictures/"
COMPACTED_FEEDBACK: Final = "compacted/feedback/"


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


class Feedback(Record):
    """A person's feedback on a prediction: `feedback/date=<day of the prediction>/<id>.json`."""

    id: str
    """Id of the prediction, the same as in the prediction log."""
    time: AwareDatetime
    """Time of the feedback; later feedback on the same prediction replaces earlier feedback."""
    answered: AwareDatetime
    """Time of the prediction."""
    version: str
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
