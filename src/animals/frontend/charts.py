"""Charts: readable on a phone, in light and dark."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

import altair as alt

from animals.frontend.text import short_percent

FIRST: Final = "#0d9488"
"""Of what matters."""
OTHERS: Final = "#8793a6"
"""Of what stands beside it. Both are told from white and from black."""

AltairChart = alt.Chart | alt.LayerChart | alt.FacetChart

_ROW: Final = 26
_FONT: Final = 14
_HEIGHT: Final = 200
_MOST: Final = 20


def probability_bars(probabilities: Mapping[str, float]) -> AltairChart:
    """A bar for each label, the likeliest first, with its label before and its probability behind it.

    Of many labels the likeliest have one.
    """
    ranked = sorted(probabilities.items(), key=lambda item: -item[1])[:_MOST]
    rows = [
        {"label": label, "value": probability, "text": short_percent(probability), "first": place == 0}
        for place, (label, probability) in enumerate(ranked)
    ]
    return _bars(rows, longest=1.0)


def count_bars(counts: Mapping[str, int]) -> AltairChart:
    """A bar for each label, the most frequent first."""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    rows = [{"label": label, "value": count, "text": f"{count:,}", "first": True} for label, count in ranked]
    return _bars(rows, longest=max(counts.values(), default=0))


def accuracy_by_day(days: Sequence[tuple[date, int, int]], reference: float | None) -> AltairChart:
    """Share of right answers a day, beside that on the test pictures.

    Args:
        days: day, answers that were judged, and those judged right; days without any are left out.
        reference: accuracy on the test pictures.
    """
    judged = [(day.isoformat(), records, right) for day, records, right in days if records]
    rows = [{"day": day, "share": right / records, "records": records} for day, records, right in judged]
    lowest = min([right / records for _, records, right in judged] + [1.0 if reference is None else reference])
    base = alt.Chart({"values": rows}).encode(
        x=_days("day:O"),
        y=alt.Y("share:Q", title=None, axis=alt.Axis(format="%"), scale=alt.Scale(domain=[max(0.0, lowest - 0.2), 1])),
    )
    line = base.mark_line(color=FIRST)
    points = base.mark_circle(color=FIRST, opacity=1).encode(
        size=alt.Size("records:Q", legend=None, scale=alt.Scale(range=[60, 400]))
    )
    layers: list[alt.Chart] = [line, points]
    if reference is not None:
        beside = alt.Chart({"values": [{"share": reference}]}).encode(y="share:Q")
        layers.append(beside.mark_rule(color=OTHERS, strokeDash=[6, 4]))
        layers.append(
            beside.mark_text(align="left", baseline="top", dy=6, color=OTHERS, fontSize=_FONT).encode(
                x=alt.value(4), text=alt.value("on the test pictures")
            )
        )
    return alt.layer(*layers).properties(height=_HEIGHT)


def answers_by_day(days: Sequence[tuple[date, int]]) -> AltairChart:
    """Answers of each day."""
    rows = [{"day": day.isoformat(), "answers": answers} for day, answers in days]
    base = alt.Chart({"values": rows}).encode(
        x=_days("day:O"), y=alt.Y("answers:Q", title=None, axis=alt.Axis(format="~s", tickCount=4))
    )
    bars: alt.Chart = base.mark_bar(color=FIRST, cornerRadius=3).properties(height=_HEIGHT)
    return bars


def _days(field: str) -> alt.X:
    return alt.X(field, title=None, axis=alt.Axis(labelAngle=0, labelOverlap=True, grid=False))


def _bars(rows: Sequence[Mapping[str, Any]], longest: float) -> AltairChart:
    """Bars in the order given.

    Args:
        rows: each with `label`, `value`, `text` at the bar's end, and whether it is among the `first`.
        longest: value of the longest bar.
    """
    base = alt.Chart({"values": list(rows)}).encode(
        y=alt.Y(
            "label:N",
            sort=None,
            title=None,
            axis=alt.Axis(ticks=False, domain=False, grid=False, labelFontSize=_FONT, labelLimit=120, labelPadding=8),
        ),
        # room for the text behind the longest bar
        x=alt.X("value:Q", axis=None, scale=alt.Scale(domain=[0, longest * 1.3 or 1])),
    )
    bars = base.mark_bar(cornerRadius=3, height=_ROW * 0.55).encode(
        color=alt.condition("datum.first", alt.value(FIRST), alt.value(OTHERS))
    )
    text = base.mark_text(align="left", dx=6, fontSize=_FONT, color=OTHERS).encode(text="text:N")
    return alt.layer(bars, text).properties(height=_ROW * len(rows))
