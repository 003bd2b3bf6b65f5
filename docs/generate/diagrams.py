"""The site's diagrams: `python -m docs.generate.diagrams` draws them anew into docs/figures/.

These three are placed by hand and shown in the README too, so they are in git as they are drawn; a test fails when they
are stale. Other diagrams are Mermaid in their page, see `mermaid.py`.
"""

import itertools
import tomllib
from pathlib import Path
from typing import Final

from docs.generate.drawing import Arrow, Box, draw

FIGURES: Final = Path(__file__).parents[1] / "figures"
PYPROJECT: Final = Path(__file__).parents[2] / "pyproject.toml"


def services() -> str:
    """What runs, and what it says to what."""
    people = Box(x=10, y=10, title="People", lines=("with a browser",), kind="outside")
    programs = Box(x=10, y=130, title="Programs", lines=("HTTP, KServe, Triton",), kind="outside")
    page = Box(x=290, y=10, title="Page", lines=("animals.frontend", "Streamlit"))
    backend = Box(x=290, y=130, title="Backend", lines=("animals.serving", "FastAPI, ONNX Runtime"), width=220)
    report = Box(x=610, y=10, title="Report", lines=("animals.monitoring", "numbers, pages, drift"), width=170)
    check = Box(x=840, y=10, title="Daily check", lines=("retrain_check", "train again?"))
    training = Box(x=840, y=130, title="Training", lines=("animals.training", "PyTorch, timm"), kind="work")
    bucket = Box(
        x=290,
        y=270,
        title="The bucket",
        lines=("models/   predictions/   feedback/   reports/", "a folder, or gs://name/prefix"),
        kind="store",
        width=700,
        height=80,
    )
    boxes = [people, programs, page, backend, report, check, training, bucket]
    arrows = [
        Arrow(start=people, end=page),
        Arrow(start=programs, end=backend),
        Arrow(start=page, end=backend, label="pictures, judgements"),
        Arrow(start=page, end=report, label="maintainer's page"),
        Arrow(start=backend, end=bucket, label="answers, judgements", at=430),
        Arrow(start=bucket, end=backend, label="version", at=325),
        Arrow(start=report, end=bucket, label="reports", at=720),
        Arrow(start=bucket, end=report, label="records", at=655),
        Arrow(start=check, end=training, label="asks for a training"),
        Arrow(start=training, end=bucket, label="versions", at=950),
        Arrow(start=bucket, end=training, label="pictures", at=875),
    ]
    return draw("The services and the bucket between them", (1000, 360), boxes, arrows)


def loop() -> str:
    """How an answer becomes a better model."""
    width = 190.0
    steps = [
        Box(x=10, y=10, title="Pictures", lines=("label folders",), kind="outside", width=width),
        Box(x=290, y=10, title="Train", lines=("split, fit, measure, export",), kind="work", width=width),
        Box(x=570, y=10, title="Publish", lines=("version, then pointer",), kind="store", width=width),
        Box(x=570, y=150, title="Serve", lines=("reloads by itself",), width=width),
        Box(x=290, y=150, title="Judge", lines=("people say what it is",), kind="outside", width=width),
        Box(x=10, y=150, title="Report and decide", lines=("accuracy, drift",), width=width),
    ]
    pictures, train, publish, serve, judge, decide = steps
    arrows = [
        Arrow(start=pictures, end=train),
        Arrow(start=train, end=publish),
        Arrow(start=publish, end=serve, label="promoted, if no worse"),
        Arrow(start=serve, end=judge, label="answers"),
        Arrow(start=judge, end=decide, label="feedback"),
        Arrow(start=decide, end=pictures, label="new pictures"),
    ]
    return draw("From pictures to a version, to answers, to judgements, and to new pictures", (770, 230), steps, arrows)


def imports() -> str:
    """Which room imports which: the contract in pyproject.toml that import-linter checks."""
    contract = tomllib.loads(PYPROJECT.read_text("utf-8"))["tool"]["importlinter"]["contracts"][0]
    rows = [[room.strip().removeprefix("animals.") for room in layer.split("|")] for layer in contract["layers"]]
    high, gap, width = 34, 22, 760.0
    boxes = [_row(row, 10 + number * (high + gap), width, high) for number, row in enumerate(rows)]
    arrows = [Arrow(start=_wide(above, width), end=_wide(below, width)) for above, below in itertools.pairwise(boxes)]
    height = 10 + len(rows) * (high + gap)
    flat = [box for row in boxes for box in row]
    return draw(
        "Each row may import those below it, never those beside or above it", (int(width) + 20, height), flat, arrows
    )


def _row(rooms: list[str], y: float, width: float, height: float) -> list[Box]:
    each = (width - 10 * (len(rooms) - 1)) / len(rooms)
    narrow = min(each, 240)
    left = 10 + (width - len(rooms) * narrow - 10 * (len(rooms) - 1)) / 2
    return [
        Box(x=left + number * (narrow + 10), y=y, title=room, width=narrow, height=height)
        for number, room in enumerate(rooms)
    ]


def _wide(row: list[Box], width: float) -> Box:
    return Box(x=10, y=row[0].y, title="", width=width, height=row[0].height)


DIAGRAMS: Final = {"services.svg": services, "loop.svg": loop, "imports.svg": imports}
"""File in docs/figures/ -> what draws it."""


def main() -> None:
    """Draw all of them."""
    for name, picture in DIAGRAMS.items():
        (FIGURES / name).write_text(picture(), "utf-8", newline="\n")


if __name__ == "__main__":
    main()
