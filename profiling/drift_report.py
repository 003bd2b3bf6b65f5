"""The drift experiment's results as a table, a figure and JSON."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

Kind = Mapping[str, Any]

FIRES: Final = "Blues"


def write(result: Mapping[str, Any], folder: Path) -> None:
    """Write drift.json, drift.md and figures/drift.png."""
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    (folder / "drift.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    (folder / "drift.md").write_text("\n".join(_page(result)) + "\n", encoding="utf-8")
    _draw(result["kinds"]).savefig(folder / "figures" / "drift.png", dpi=110)


def _page(result: Mapping[str, Any]) -> Iterator[str]:
    setting, kinds = result["setting"], result["kinds"]
    yield "# When the drift tests fire"
    yield ""
    yield (
        f"`{setting['command']}`, on {setting['cpu']}; {setting['system']}. "
        f"The model, {setting['model']}, was trained on sample pictures in four of the five styles and is right in "
        f"{setting['accuracy']:.1%} of its test pictures. Its reference has {setting['reference_rows']} rows. Limits: "
        + ", ".join(f"{name} {value:g}" for name, value in setting["limits"].items())
        + ". What the tests are and how the limits were chosen: [drift](../docs/design/drift.md)."
    )
    yield ""
    yield from _table(kinds, setting["pool"])
    yield ""
    yield "![Alarms](figures/drift.png)"
    yield ""
    yield (
        "Left: a difference beyond the line is as large as drift. Those here are no alarm, because with so few "
        "pictures chance alone makes as large ones."
    )


def _table(kinds: Sequence[Kind], pool: int) -> Iterator[str]:
    weeks = kinds[0]["weeks"]
    sizes, most = list(weeks), list(weeks)[-1]
    yield (
        "Each cell says in how many weeks there was an alarm, of how many. The unchanged weeks are "
        f"{weeks[most] * int(most)} pictures, cut anew for each size; the others are drawn from {pool} pictures of a "
        "kind. The model had seen none of them."
    )
    yield ""
    yield "| pictures | accuracy | confidence | " + " | ".join(f"{size} a week" for size in sizes) + " | in |"
    yield "|---|---|---|" + "---|" * (len(sizes) + 1)
    for kind in kinds:
        cells = [f"{kind['fired'][size]} of {kind['weeks'][size]}" if size in kind["weeks"] else "" for size in sizes]
        given = [kind["name"], f"{kind['accuracy']:.1%}", f"{kind['confidence']:.3f}"]
        yield f"| {' | '.join([*given, *cells, ', '.join(kind['features']) or '-'])} |"
    yield ""
    yield f"*In*: the features with an alarm in any week of {most}."


def _draw(kinds: Sequence[Kind]) -> Figure:
    figure = Figure(figsize=(13, 6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.3))
    _draw_quiet(left, kinds[0])
    _draw_alarms(right, [kind for kind in kinds if max(kind["weeks"].values()) > 1])
    return figure


def _draw_quiet(axes: Axes, kind: Kind) -> None:
    """Differences of unchanged weeks, in limits."""
    features = list(kind["sizes"])
    rng = np.random.default_rng(0)
    for place, feature in enumerate(features):
        values = kind["sizes"][feature]
        axes.plot(values, place + rng.uniform(-0.2, 0.2, len(values)), "o", alpha=0.6, color="#35608d")
    axes.axvline(1, color="#c0392b")
    axes.set(xlabel="difference from the reference, in limits", xlim=(0, None), yticks=range(len(features)))
    axes.set_yticklabels(features)
    axes.invert_yaxis()
    most = list(kind["weeks"])[-1]
    axes.set_title(f"{kind['weeks'][most]} weeks of {most} unchanged pictures")


def _draw_alarms(axes: Axes, kinds: Sequence[Kind]) -> None:
    """Share of the weeks with an alarm, for each kind and size."""
    sizes = list(kinds[0]["weeks"])
    shares = np.array([[kind["fired"][size] / kind["weeks"][size] for size in sizes] for kind in kinds])
    axes.imshow(shares, cmap=FIRES, vmin=0, vmax=1.3, aspect="auto")
    for (row, column), share in np.ndenumerate(shares):
        axes.text(column, row, f"{share:.0%}", ha="center", va="center")
    axes.set(xticks=range(len(sizes)), yticks=range(len(kinds)), xlabel="pictures a week")
    axes.set_xticklabels(sizes)
    axes.set_yticklabels([kind["name"] for kind in kinds])
    axes.set_title("Weeks with an alarm")
