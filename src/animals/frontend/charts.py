"""Charts of both pages: readable on a phone, in light and dark mode."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import altair as alt

from animals.api import DayOfFeedback, DayOfPredictions
from animals.frontend.text import format_percent

PRIMARY: Final = "#0d9488"
SECONDARY: Final = "#8793a6"
"""Colour of everything else; both colours are visible on white and on black."""

AltairChart = alt.Chart | alt.LayerChart | alt.FacetChart

_ROW: Final = 26
_FONT: Final = 14
_HEIGHT: Final = 200
_MAX_BARS: Final = 20


def probability_bars(probabilities: Mapping[str, float]) -> AltairChart:
    """Return a bar for each label with its probability, in descending order; of many labels the first 20."""
    ranked = sorted(probabilities.items(), key=lambda item: -item[1])[:_MAX_BARS]
    rows = [
        {"label": label, "value": probability, "text": _short_percent(probability), "primary": rank == 0}
        for rank, (label, probability) in enumerate(ranked)
    ]
    return _bars(rows, longest=1.0)


def count_bars(counts: Mapping[str, int]) -> AltairChart:
    """Return a bar for each label with its count, in descending order."""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    rows = [{"label": label, "value": count, "text": f"{count:,}", "primary": True} for label, count in ranked]
    return _bars(rows, longest=max(counts.values(), default=0))


def accuracy_by_day(days: Iterable[DayOfFeedback], reference: float) -> AltairChart:
    """Return the accuracy of each day that has feedback, and a line at the accuracy on the test set."""
    accuracies = [(day, day.right / day.records) for day in days if day.records]
    rows = [{"day": day.date.isoformat(), "accuracy": accuracy, "records": day.records} for day, accuracy in accuracies]
    lowest = min([reference, *(accuracy for _, accuracy in accuracies)])
    scale = alt.Scale(domain=[max(0.0, lowest - 0.2), 1])
    by_day = alt.Chart({"values": rows}).encode(
        x=_day_axis(), y=alt.Y("accuracy:Q", title=None, axis=alt.Axis(format="%"), scale=scale)
    )
    size = alt.Size("records:Q", legend=None, scale=alt.Scale(range=[60, 400]))
    test = alt.Chart({"values": [{"accuracy": reference}]}).encode(y="accuracy:Q")
    label = test.mark_text(align="left", baseline="top", dy=6, color=SECONDARY, fontSize=_FONT)
    return alt.layer(
        by_day.mark_line(color=PRIMARY),
        by_day.mark_circle(color=PRIMARY, opacity=1).encode(size=size),
        test.mark_rule(color=SECONDARY, strokeDash=[6, 4]),
        label.encode(x=alt.value(4), text=alt.value("test set")),
    ).properties(height=_HEIGHT)


def predictions_by_day(days: Iterable[DayOfPredictions]) -> AltairChart:
    """Return a bar for each day with its predictions."""
    rows = [{"day": day.date.isoformat(), "predictions": day.records} for day in days]
    y = alt.Y("predictions:Q", title=None, axis=alt.Axis(format="~s", tickCount=4))
    base = alt.Chart({"values": rows}).encode(x=_day_axis(), y=y)
    bars: alt.Chart = base.mark_bar(color=PRIMARY, cornerRadius=3).properties(height=_HEIGHT)
    return bars


def _day_axis() -> alt.X:
    return alt.X("day:O", title=None, axis=alt.Axis(labelAngle=0, labelOverlap=True, grid=False))


def _bars(rows: Sequence[Mapping[str, Any]], longest: float) -> AltairChart:
    """Return horizontal bars in the given order, in which the longest value fills the width.

    Each row has `label`, `value`, `text` at the end of the bar, and whether it has the `primary` colour.
    """
    axis = alt.Axis(ticks=False, domain=False, grid=False, labelFontSize=_FONT, labelLimit=120, labelPadding=8)
    # 1.3: room for the text at the end of the longest bar
    scale = alt.Scale(domain=[0, longest * 1.3 or 1])
    base = alt.Chart({"values": list(rows)}).encode(
        y=alt.Y("label:N", sort=None, title=None, axis=axis), x=alt.X("value:Q", axis=None, scale=scale)
    )
    color = alt.condition("datum.primary", alt.value(PRIMARY), alt.value(SECONDARY))
    bars = base.mark_bar(cornerRadius=3, height=_ROW * 0.55).encode(color=color)
    text = base.mark_text(align="left", dx=6, fontSize=_FONT, color=SECONDARY).encode(text="text:N")
    return alt.layer(bars, text).properties(height=_ROW * len(rows))


def _short_percent(share: float) -> str:
    return format_percent(share).replace("over ", "> ").replace("under ", "< ")
