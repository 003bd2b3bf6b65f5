"""The page's text: its sentences, and predictions, labels, numbers and errors as text.

Labels of single buttons and figures are beside them, in the module that shows them.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

import streamlit as st

from animals.api import Prediction
from animals.errors import AnimalsError, RequestRefused

CLASSIFY_TITLE: Final = "Picture classifier"
CLASSIFY_INTRODUCTION: Final = "Upload a picture. The model recognises: {labels}."
TRAINED_ON: Final = "Trained on: {title}"
UPLOAD_LABEL: Final = "Drop pictures here, paste them, or choose files"
CAMERA_LABEL: Final = "Take a picture with the camera"
EXAMPLES_LABEL: Final = "Or try an example:"
CLASSIFYING: Final = "Classifying…"
CLASSIFIED: Final = "Version {version} responded in {duration}."

QUESTION: Final = "**Is this correct?**"
QUESTION_LABEL: Final = "Which label is correct?"
QUESTION_REJECTED: Final = "Does one of these labels fit?"
KEEP_PICTURE: Final = "Store the picture for training"
KEEP_PICTURE_HELP: Final = (
    "Stores the picture with your feedback, without the camera's metadata. "
    "Otherwise only the label is stored, and the picture is deleted."
)
SENDING_FEEDBACK: Final = "Storing your feedback…"
FEEDBACK_STORED: Final = "Thank you. Your feedback **{label}** is stored. {picture}"
PICTURE_STORED: Final = "The picture is stored too."
PICTURE_NOT_STORED: Final = "The picture is not stored."
FEEDBACK_FAILED: Final = "**Your feedback is not stored.**"
CHANGE_FEEDBACK: Final = "Change feedback"
RETRY: Final = "Try again"

MAINTAINER_TITLE: Final = "Model health"
INSTANCE: Final = "Of one backend instance, since {time:%H:%M} UTC on {date}."
FEEDBACK_NEEDED: Final = "The performance report needs {needed:,} feedback records."
FEEDBACK_BROKEN: Final = "{count:,} feedback records cannot be read; the report lists them."
RETRAIN: Final = "**Retraining is recommended.**"
NO_RETRAIN: Final = "**No retraining is needed.**"
LOADING_SUMMARY: Final = "Loading the report's figures…"
MAKING_REPORT: Final = "Creating the report; this takes up to a minute…"

CONFIDENCE_WORDS: Final = (
    (0.99, "Almost certain"),
    (0.90, "Very likely"),
    (0.70, "Likely"),
    (0.50, "Possible"),
)
"""Lowest confidence -> words. The confidence is calibrated: of predictions with 90 %, nine in ten are correct."""


@dataclass(frozen=True, slots=True)
class PredictionText:
    """A prediction as the page shows it; text, not Markdown."""

    kind: Literal["confident", "unsure", "rejected"]
    title: str
    detail: str


def describe_prediction(prediction: Prediction, unknown_below: float) -> PredictionText:
    """Return the text for a prediction; with less confidence than `unknown_below` the picture counts as unknown."""
    label, confidence = capitalize(prediction.prediction), prediction.confidence
    share = format_percent(confidence)
    if confidence < unknown_below:
        title = f"None of the {len(prediction.probabilities)} labels"
        return PredictionText("rejected", title, f"No label fits well. The closest is {prediction.prediction}: {share}")
    for lowest, words in CONFIDENCE_WORDS:
        if confidence >= lowest:
            return PredictionText("confident", label, f"{words}: {share}")
    second = sorted(prediction.probabilities, key=prediction.probabilities.__getitem__)[-2:][0]
    return PredictionText("unsure", f"{label}?", f"Uncertain: {share}. It may also be {second}.")


def show_error(
    error: AnimalsError, key: str, on_retry: Callable[..., None] | None = None, args: tuple[Any, ...] = ()
) -> None:
    """Show an error, with a button to try again where that may help.

    `on_retry(*args)` is called before the page's script runs again.
    """
    if isinstance(error, RequestRefused):
        st.error(escape_markdown(str(error)), icon=":material/block:")
        return
    st.warning(escape_markdown(str(error)), icon=":material/cloud_off:")
    st.button(RETRY, key=key, icon=":material/refresh:", on_click=on_retry, args=args)


def capitalize(label: str) -> str:
    """Return a label as the beginning of a sentence; unlike `str.capitalize` it keeps `Boeing 747` as it is."""
    return label[:1].upper() + label[1:]


def join_labels(labels: Sequence[str], limit: int = 20) -> str:
    """Return labels as a list in a sentence; of many the first ones and the number of the others."""
    rest = [f"and {len(labels) - limit} more"] if len(labels) > limit else []
    return ", ".join([*labels[:limit], *rest])


def format_percent(share: float) -> str:
    """Return a share in whole percent, but never 0 or 100 %, which no model can be sure of."""
    if share > 0.99:
        return "over 99 %"
    if share < 0.01:
        return "under 1 %"
    return f"{100 * share:.0f} %"


def format_duration(seconds: float | None) -> str:
    """Return a duration in a fitting unit, with two digits."""
    if seconds is None:
        return "n/a"
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def format_date(moment: datetime) -> str:
    """Return a date such as 24 November 2026."""
    return f"{moment.day} {moment:%B %Y}"


def escape_markdown(text: str) -> str:
    """Return text as Markdown that shows exactly this text, without links, pictures, formulas and colours."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", " ".join(text.split()))
