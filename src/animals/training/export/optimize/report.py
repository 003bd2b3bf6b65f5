"""What was found, as a table and as a figure."""

from pathlib import Path
from typing import Final

from matplotlib.figure import Figure

from animals.training.export.optimize.records import Measured, Optimization

COLUMNS: Final = ("", "size, MB", "ms a picture", "times as fast", "accuracy", "same label")

_BLUE: Final = "#1f5fa8"
_GREY: Final = "#8a8a8a"


def markdown(found: Optimization, figure: Path) -> str:
    """The report; its figure lies beside it."""
    packages = ", ".join(f"{name} {version}" for name, version in found.packages.items())
    return f"""\
# Forms of {found.version}

A {found.architecture} at {found.side} pixels: {found.pictures} test pictures, one at a time, each answered by every
form in turn. Time is the median, on one thread of a {found.processor}, from the prepared picture to the logits; labels
are compared with those of torch. {packages}. [Why these forms](../../../docs/design/export.md)

{table(found)}

![Size, time and accuracy of each form]({figure.name})
"""


def table(found: Optimization) -> str:
    """One row a form, the one that serves in bold; below it what could not be made, and why that one serves."""
    slowest = found.measured[0].latency
    rows = [_row(it, slowest, serves=it.name == found.serving) for it in found.measured]
    lines = [COLUMNS, ("---", *["--:"] * (len(COLUMNS) - 1)), *rows]
    notes = [f"{name}: not made. {reason}." for name, reason in found.not_made.items()]
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return "\n\n".join([text, *notes, f"{found.serving} serves. {found.why}"])


def _row(it: Measured, slowest: float, *, serves: bool) -> tuple[str, ...]:
    return (
        f"**{it.name}**" if serves else it.name,
        f"{it.size / 1e6:.1f}",
        f"{it.latency:.2f}",
        f"{slowest / it.latency:.1f}",
        f"{it.accuracy:.1%}",
        f"{it.same_label:.1%}",
    )


def draw(found: Optimization, path: Path) -> None:
    """Draw size, time, accuracy and agreement beside each other, a bar for each form."""
    names = [it.name for it in found.measured]
    panels = {
        "size, MB": ([it.size / 1e6 for it in found.measured], "{:.1f}"),
        "ms a picture": ([it.latency for it in found.measured], "{:.1f}"),
        "accuracy": ([it.accuracy for it in found.measured], "{:.1%}"),
        "same label as torch": ([it.same_label for it in found.measured], "{:.1%}"),
    }
    figure = Figure(figsize=(12, 1.4 + 0.4 * len(names)), layout="constrained")
    colors = [_BLUE if name == found.serving else _GREY for name in names]
    for axes, (title, (values, form)) in zip(figure.subplots(1, len(panels), sharey=True), panels.items(), strict=True):
        bars = axes.barh(names, values, color=colors)
        axes.bar_label(bars, [form.format(value) for value in values], padding=3)
        axes.set_title(title)
        axes.set_xlim(0, 1.3 * max(values))
        axes.set_xticks([])
        axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.invert_yaxis()
    figure.supxlabel(f"{found.version}: the form in blue serves", fontsize="small", color=_GREY)
    figure.savefig(path, dpi=100)
