"""Numbers in words that fit them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from animals.frontend.backend_client import Answer

SURE_WORDS: Final = (
    (0.99, "almost certainly"),
    (0.90, "very probably"),
    (0.70, "probably"),
    (0.50, "perhaps"),
)
"""Least probability -> words. The probabilities are calibrated: of answers given with 90 %, nine in ten are right."""

Kind = Literal["sure", "unsure", "none"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """An answer as a person would put it."""

    kind: Kind
    title: str
    """The label, or that there is none; as text, not Markdown."""
    words: str
    """How sure, as the rest of the sentence."""


def verdict(answer: Answer, unknown_below: float | None) -> Verdict:
    """How to put an answer.

    Args:
        answer: of the backend.
        unknown_below: confidence under which a picture is more likely of none of the labels, if the card has one.
    """
    label, confidence = answer.prediction, answer.confidence
    if unknown_below is not None and confidence < unknown_below:
        labels = len(answer.probabilities)
        title = f"None of the {labels}?" if labels > 2 else "Neither of the two?"
        return Verdict("none", title, f"Nothing fits well. {begin(label)} comes nearest, with {percent(confidence)}.")
    for least, words in SURE_WORDS:
        if confidence >= least:
            return Verdict("sure", begin(label), f"{words}: {percent(confidence)}")
    second = sorted(answer.probabilities, key=answer.probabilities.__getitem__)[-2:][0]
    return Verdict("unsure", f"{begin(label)}?", f"hard to say: {percent(confidence)}, or perhaps {second}")


def begin(label: str) -> str:
    """A label at the beginning of a sentence; what follows its first letter is its own, as in `Boeing 747`."""
    return label[:1].upper() + label[1:]


def listed(labels: Sequence[str], most: int = 20) -> str:
    """Labels as part of a sentence, as text, not Markdown; of many the first ones."""
    named = list(labels if len(labels) <= most else labels[: most - 1])
    last = named.pop() if len(named) == len(labels) else f"{len(labels) - len(named)} others"
    return f"{', '.join(named)} and {last}" if named else last


def percent(share: float) -> str:
    """A share in whole percent; never 0 or 100, of which nobody can be sure."""
    if share > 0.99:
        return "over 99 %"
    if share < 0.01:
        return "under 1 %"
    return f"{100 * share:.0f} %"


def short_percent(share: float) -> str:
    """The same with no more room than a bar leaves on a phone."""
    return percent(share).replace("over ", "> ").replace("under ", "< ")


def seconds(duration: float) -> str:
    """A duration for people: two digits are enough."""
    return f"{1000 * duration:.0f} ms" if duration < 1 else f"{duration:.1f} s"


def day(moment: datetime) -> str:
    """The day of a moment, such as 24 November 2026."""
    return f"{moment.day} {moment:%B %Y}"


def plain(text: str) -> str:
    """Text as Markdown that shows just that text: no link, picture, formula or colour can be smuggled in."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", " ".join(text.split()))
