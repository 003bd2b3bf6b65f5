"""How the figures of the reports look: one style, small files."""

import statistics
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

BLUE: Final = "#1f5fa8"
ORANGE: Final = "#d9741a"
GREY: Final = "#8a8a8a"
COLOURS: Final = (BLUE, ORANGE, "#3f8f5b", "#8e5ea2", "#c7a317", "#5aa7c7", GREY, "#b04a4a")


def plain(axes: Axes) -> None:
    """No box around it, and lines to read values by."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    axes.set_axisbelow(True)


def save(figure: Figure, path: Path) -> None:
    """Into a small PNG."""
    drawn = BytesIO()
    figure.savefig(drawn, dpi=110)
    shrink(drawn, path, colours=64)


def shrink(source: Path | BytesIO, path: Path, *, colours: int = 128) -> None:
    """Write a picture as a PNG of few colours, and without what else its file says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(source) as picture:
        picture.convert("RGB").quantize(colours).save(path, optimize=True)


def stacked(axes: Axes, names: Sequence[str], parts: Sequence[dict[str, float]]) -> None:
    """A bar of its parts for each name, with the sum above."""
    bottoms = [0.0] * len(names)
    for place, part in enumerate(parts[0]):
        heights = [found[part] for found in parts]
        axes.bar(names, heights, bottom=bottoms, label=part, color=COLOURS[place % len(COLOURS)], width=0.6)
        bottoms = [low + height for low, height in zip(bottoms, heights, strict=True)]
    for name, total in zip(names, bottoms, strict=True):
        axes.annotate(f"{total:,.0f}", (name, total), ha="center", va="bottom")
    plain(axes)


def cost_figure(found: Mapping[str, Any]) -> Figure:
    """Dollars a month by part, for each volume."""
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    axes = figure.subplots()
    stacked(axes, [f"{volume:,}" for volume in found["pictures"]], found["parts"])
    axes.set(xlabel="pictures a month", ylabel="dollars a month", title="What it costs")
    axes.legend(frameon=False)
    return figure


def training_figure(sides: Mapping[str, Sequence[Mapping[str, Any]]]) -> Figure:
    """Pictures a second of each variant, at each size: medians, from least to most."""
    names = {"plain": "plain", "timm": "timm's loader", "ours": "this trainer", "ceiling": "network alone"}
    figure = Figure(figsize=(8, 2.6), layout="constrained")
    for axes, (side, runs) in zip(figure.subplots(1, len(sides), squeeze=False).flat, sides.items(), strict=True):
        _bars(axes, {words: [run[name]["pictures_per_second"] for run in runs] for name, words in names.items()})
        axes.set(xlabel="pictures a second", title=f"Training at {side} pixels")
    return figure


def serving_figure(found: Mapping[str, Any]) -> Figure:
    """Pictures a second and memory of each server: medians, from least to most."""
    names = {"ours": "this backend", "plain": "FastAPI and torch", "litserve": "LitServe", "bentoml": "BentoML"}
    names = {name: words for name, words in names.items() if name in found["runs"][0]}
    most = str(found["clients"][-1])
    rates = {
        words: [run[name]["clients"][most]["pictures_per_second"] for run in found["runs"]]
        for name, words in names.items()
    }
    memory = {words: [run[name]["memory"] for run in found["runs"]] for name, words in names.items()}
    figure = Figure(figsize=(8, 2.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    _bars(left, rates)
    left.set(xlabel=f"pictures a second, {most} at once", title="On one CPU")
    _bars(right, memory)
    right.set(xlabel="MB", title="Memory")
    return figure


def load_figure(found: Mapping[int, Mapping[str, float]]) -> Figure:
    """Milliseconds of an answer by percentile, for each number of users."""
    figure = Figure(figsize=(8, 3), layout="constrained")
    axes = figure.subplots()
    names = [f"{users} users" for users in found]
    percentiles = list(next(iter(found.values())))
    width = 0.8 / len(percentiles)
    for place, percentile in enumerate(percentiles):
        heights = [times[percentile] for times in found.values()]
        bars = axes.bar([it + place * width for it in range(len(names))], heights, width, color=COLOURS[place])
        bars.set_label(percentile.partition(",")[0])
        axes.bar_label(bars, fmt="{:.0f}", fontsize="small")
    axes.set_xticks([it + width for it in range(len(names))], names)
    axes.set(ylabel="ms", title="How long an answer takes")
    axes.legend(frameon=False)
    plain(axes)
    return figure


def _bars(axes: Axes, values: Mapping[str, Sequence[float]]) -> None:
    """A bar for each name, this project's own in another colour, and the range of what was measured."""
    middles = [statistics.median(it) for it in values.values()]
    reach = [[middle - min(it) for middle, it in zip(middles, values.values(), strict=True)]]
    reach.append([max(it) - middle for middle, it in zip(middles, values.values(), strict=True)])
    colours = [BLUE if name.startswith("this") else GREY for name in values]
    bars = axes.barh(list(values), middles, xerr=reach, color=colours, height=0.6, error_kw={"elinewidth": 1})
    axes.bar_label(bars, fmt="{:,.0f}", padding=3)
    axes.set_xlim(0, 1.18 * max(map(max, values.values())))
    axes.invert_yaxis()
    plain(axes)
    axes.grid(visible=False, axis="y")
