"""The results of the drift experiment as JSON, a table and a figure."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from animals.markdown import table
from profiling import results
from profiling.figures import save

Kind = Mapping[str, Any]

COLOURS: Final = "Blues"


def write(result: Mapping[str, Any], folder: Path) -> None:
    """Write drift.json, drift.md and figures/drift.png."""
    results.write(result, _page(result), folder / "drift.json")
    save(_draw(result["kinds"]), folder / "figures" / "drift.png")


def _page(result: Mapping[str, Any]) -> str:
    setting, kinds = result["setting"], result["kinds"]
    limits = ", ".join(f"{name} {value:g}" for name, value in setting["limits"].items())
    weeks = kinds[0]["weeks"]
    most = list(weeks)[-1]
    parts = [
        results.heading("When the drift tests fire", setting),
        f"The model, {setting['model']}, was trained on sample pictures in four of the five styles. Its test accuracy "
        f"is {setting['accuracy']:.1%}, and its reference has {setting['reference_rows']} rows. Limits: {limits}. The "
        "tests and the choice of the limits: [drift](../docs/design/drift.md).",
        f"A cell has the number of weeks with an alarm. The unchanged weeks are {weeks[most] * int(most)} pictures, "
        f"cut anew for each size; the others are drawn from {setting['pool']} pictures of a kind. The model had seen "
        "none of them.",
        _table(kinds),
        f"*In*: the features with an alarm in any week of {most}.",
        "![Alarms](figures/drift.png)",
        "Left: a difference beyond the line is as large as drift. These are no alarms, because with so few pictures "
        "chance makes differences as large.",
    ]
    return "\n\n".join(parts) + "\n"


def _table(kinds: Sequence[Kind]) -> str:
    sizes = list(kinds[0]["weeks"])
    rows = []
    for kind in kinds:
        cells = [f"{kind['fired'][size]} of {kind['weeks'][size]}" if size in kind["weeks"] else "" for size in sizes]
        features = ", ".join(kind["features"]) or "-"
        rows.append([kind["name"], f"{kind['accuracy']:.1%}", f"{kind['confidence']:.3f}", *cells, features])
    return table(["pictures", "accuracy", "confidence", *(f"{size} a week" for size in sizes), "in"], rows)


def _draw(kinds: Sequence[Kind]) -> Figure:
    figure = Figure(figsize=(13, 6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.3))
    _draw_quiet(left, kinds[0])
    _draw_alarms(right, [kind for kind in kinds if max(kind["weeks"].values()) > 1])
    return figure


def _draw_quiet(axes: Axes, kind: Kind) -> None:
    """Draw the differences of unchanged weeks, divided by the limits."""
    features = list(kind["sizes"])
    rng = np.random.default_rng(0)
    for index, feature in enumerate(features):
        values = kind["sizes"][feature]
        axes.plot(values, index + rng.uniform(-0.2, 0.2, len(values)), "o", alpha=0.6, color="#35608d")
    axes.axvline(1, color="#c0392b")
    axes.set(xlabel="difference from the reference, in limits", xlim=(0, None), yticks=range(len(features)))
    axes.set_yticklabels(features)
    axes.invert_yaxis()
    most = list(kind["weeks"])[-1]
    axes.set_title(f"{kind['weeks'][most]} weeks of {most} unchanged pictures")


def _draw_alarms(axes: Axes, kinds: Sequence[Kind]) -> None:
    """Draw the share of weeks with an alarm, for each kind and size."""
    sizes = list(kinds[0]["weeks"])
    shares = np.array([[kind["fired"][size] / kind["weeks"][size] for size in sizes] for kind in kinds])
    axes.imshow(shares, cmap=COLOURS, vmin=0, vmax=1.3, aspect="auto")
    for (row, column), share in np.ndenumerate(shares):
        axes.text(column, row, f"{share:.0%}", ha="center", va="center")
    axes.set(xticks=range(len(sizes)), yticks=range(len(kinds)), xlabel="pictures a week")
    axes.set_xticklabels(sizes)
    axes.set_yticklabels([kind["name"] for kind in kinds])
    axes.set_title("Weeks with an alarm")
