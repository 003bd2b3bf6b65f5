"""Boxes and arrows as SVG, in the light and in the dark, with nothing but the reader's own fonts."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final, Literal

Kind = Literal["service", "store", "work", "outside"]
Point = tuple[float, float]

_STYLE: Final = """
    text { font: 14px system-ui, sans-serif; fill: #1f2937; text-anchor: middle; }
    .title { font-weight: 600; }
    .small { font-size: 12px; fill: #4b5563; }
    .label { font-size: 12px; fill: #4b5563; paint-order: stroke; stroke: #ffffff; stroke-width: 5px; }
    rect { stroke-width: 1.5; rx: 8px; }
    .service { fill: #ccfbf1; stroke: #0f766e; }
    .store { fill: #fef3c7; stroke: #b45309; }
    .work { fill: #e0e7ff; stroke: #4338ca; }
    .outside { fill: #f3f4f6; stroke: #6b7280; }
    path { fill: none; stroke: #4b5563; stroke-width: 1.5; }
    marker path { fill: #4b5563; stroke: none; }
    @media (prefers-color-scheme: dark) {
      text { fill: #f3f4f6; }
      .small { fill: #d1d5db; }
      .label { fill: #d1d5db; stroke: #1e2129; }
      .service { fill: #134e4a; stroke: #5eead4; }
      .store { fill: #713f12; stroke: #fcd34d; }
      .work { fill: #312e81; stroke: #a5b4fc; }
      .outside { fill: #374151; stroke: #9ca3af; }
      path { stroke: #d1d5db; }
      marker path { fill: #d1d5db; }
    }
"""


@dataclass(kw_only=True, slots=True, frozen=True)
class Box:
    """A thing, with its corner and size in pixels."""

    x: float
    y: float
    title: str
    lines: tuple[str, ...] = ()
    kind: Kind = "service"
    width: float = 150
    height: float = 70

    @property
    def middle(self) -> Point:
        """Its centre."""
        return self.x + self.width / 2, self.y + self.height / 2


@dataclass(kw_only=True, slots=True, frozen=True)
class Arrow:
    """From one box to another that it faces, straight."""

    start: Box
    end: Box
    label: str = ""
    at: float | None = None
    """Where it runs, in pixels along the sides that face each other; None for the middle of what they share."""


def draw(title: str, size: tuple[int, int], boxes: Sequence[Box], arrows: Sequence[Arrow]) -> str:
    """The whole picture.

    Args:
        title: what it shows, for those who do not see it.
        size: width and height in pixels.
        boxes: the things.
        arrows: what goes from one to another.
    """
    width, height = size
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" width="{width}">',
        f"  <title>{escape(title)}</title>",
        f"  <style>{_STYLE}  </style>",
        '  <defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" '
        'orient="auto-start-reverse"><path d="M 0 0 L 10 5 L 0 10 z"/></marker></defs>',
        *map(_arrow, arrows),
        *map(_box, boxes),
        *map(_label, arrows),
        "</svg>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _box(box: Box) -> str:
    x, y = box.middle
    first = y + 5 - 9 * len(box.lines)
    texts = [f'<text class="title" x="{x:g}" y="{first:g}">{escape(box.title)}</text>']
    texts += [
        f'<text class="small" x="{x:g}" y="{first + 18 * number:g}">{escape(line)}</text>'
        for number, line in enumerate(box.lines, 1)
    ]
    shape = f'<rect class="{box.kind}" x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{box.height:g}"/>'
    return "  " + shape + "".join(texts)


def _arrow(arrow: Arrow) -> str:
    points = " L ".join(f"{x:g} {y:g}" for x, y in _way(arrow))
    return f'  <path d="M {points}" marker-end="url(#tip)"/>'


def _label(arrow: Arrow) -> str:
    if not arrow.label:
        return ""
    (x1, y1), (x2, y2) = _way(arrow)
    x, y = (x1 + x2) / 2, (y1 + y2) / 2 + (-7 if y1 == y2 else 4)  # above a line that lies, across one that stands
    return f'  <text class="label" x="{x:g}" y="{y:g}">{escape(arrow.label)}</text>'


def _way(arrow: Arrow) -> tuple[Point, Point]:
    """Where it begins and ends.

    Raises:
        ValueError: the boxes do not face each other.
    """
    start, end = arrow.start, arrow.end
    if (shared := _shared(start.x, start.width, end.x, end.width)) is not None:
        x = shared if arrow.at is None else arrow.at
        return (x, _edge(start.y, start.height, end.y)), (x, _edge(end.y, end.height, start.y))
    if (shared := _shared(start.y, start.height, end.y, end.height)) is not None:
        y = shared if arrow.at is None else arrow.at
        return (_edge(start.x, start.width, end.x), y), (_edge(end.x, end.width, start.x), y)
    raise ValueError(f"{start.title} and {end.title} do not face each other: move one of them.")


def _shared(a: float, length_a: float, b: float, length_b: float) -> float | None:
    """The middle of what two ranges have in common."""
    low, high = max(a, b), min(a + length_a, b + length_b)
    return (low + high) / 2 if low < high else None


def _edge(begin: float, length: float, towards: float) -> float:
    return begin + length if towards > begin else begin
