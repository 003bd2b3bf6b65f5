"""Figures of the benchmarks: one style, small files."""

import statistics
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

FIGURES: Final = Path("reports", "figures")
BLUE: Final = "#1f5fa8"
GREY: Final = "#8a8a8a"
COLOURS: Final = (BLUE, "#d9741a", "#3f8f5b", "#8e5ea2", "#c7a317", "#5aa7c7", GREY, "#b04a4a")


def save(figure: Figure, path: Path) -> None:
    """Write a figure as a small PNG."""
    file = BytesIO()
    figure.savefig(file, dpi=110)
    shrink(file, path, colours=64)


def shrink(source: Path | BytesIO, path: Path, *, colours: int = 128) -> None:
    """Write a picture as a PNG with few colours and without metadata."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(source) as picture:
        picture.convert("RGB").quantize(colours).save(path, optimize=True)


def cost_figure(volumes: Sequence[int], parts: Sequence[Mapping[str, float]]) -> Figure:
    """Draw dollars a month as a stacked bar of the system's parts for each volume."""
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    axes = figure.subplots()
    names, bottoms = [f"{volume:,}" for volume in volumes], [0.0] * len(volumes)
    for colour, part in zip(COLOURS, parts[0], strict=False):
        heights = [it[part] for it in parts]
        axes.bar(names, heights, bottom=bottoms, label=part, color=colour, width=0.6)
        bottoms = [low + height for low, height in zip(bottoms, heights, strict=True)]
    for name, total in zip(names, bottoms, strict=True):
        axes.annotate(f"{total:,.0f}", (name, total), ha="center", va="bottom")
    axes.set(xlabel="pictures a month", ylabel="dollars a month", title="What it costs")
    axes.legend(frameon=False)
    _clean(axes)
    return figure


def training_figure(sides: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Draw pictures a second of each variant at each size: medians, with the range."""
    names = {"plain": "plain", "timm": "timm's loader", "ours": "this trainer", "ceiling": "network alone"}
    figure = Figure(figsize=(8, 2.6), layout="constrained")
    for axes, (side, compared) in zip(figure.subplots(1, len(sides), squeeze=False).flat, sides.items(), strict=True):
        runs = compared["runs"]
        _bars(axes, {label: [run[name]["pictures_per_second"] for run in runs] for name, label in names.items()})
        axes.set(xlabel="pictures a second", title=f"Training at {side} pixels")
    return figure


def serving_figure(result: Mapping[str, Any]) -> Figure:
    """Draw pictures a second and memory of each server: medians, with the range."""
    names = {"ours": "this backend", "plain": "FastAPI and torch", "litserve": "LitServe", "bentoml": "BentoML"}
    names = {name: label for name, label in names.items() if name in result["runs"][0]}
    most = str(result["clients"][-1])
    rates = {
        label: [run[name]["clients"][most]["pictures_per_second"] for run in result["runs"]]
        for name, label in names.items()
    }
    memory = {label: [run[name]["memory"] for run in result["runs"]] for name, label in names.items()}
    figure = Figure(figsize=(8, 2.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    _bars(left, rates)
    left.set(xlabel=f"pictures a second, {most} clients", title="On one CPU")
    _bars(right, memory)
    right.set(xlabel="MB", title="Memory")
    return figure


def _bars(axes: Axes, values: Mapping[str, Sequence[float]]) -> None:
    """Draw a bar for each name, this project's in another colour, with the range of the measurements."""
    medians = [statistics.median(it) for it in values.values()]
    below = [median - min(it) for median, it in zip(medians, values.values(), strict=True)]
    above = [max(it) - median for median, it in zip(medians, values.values(), strict=True)]
    colours = [BLUE if name.startswith("this") else GREY for name in values]
    bars = axes.barh(list(values), medians, xerr=[below, above], color=colours, height=0.6, error_kw={"elinewidth": 1})
    axes.bar_label(bars, fmt="{:,.0f}", padding=3)
    axes.set_xlim(0, 1.18 * max(map(max, values.values())))
    axes.invert_yaxis()
    _clean(axes)
    axes.grid(visible=False, axis="y")


def _clean(axes: Axes) -> None:
    """Leave out the box, and add grid lines."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    axes.set_axisbelow(True)
