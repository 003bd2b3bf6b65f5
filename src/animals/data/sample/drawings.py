"""Render the licensed SVG drawings of the package to pixels.

Their files are `art/<style>/<folder>/<name>.svg`, where a folder is one of Animals-10 or `_clutter`. `art/NOTICE.md`
names authors and licences.
"""

import io
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

import resvg_py
from PIL import Image


@dataclass(frozen=True, slots=True)
class Credit:
    """The author and the licence of a style."""

    name: str
    by: str
    licence: str


CREDITS: Final[dict[str, Credit]] = {
    "emojitwo": Credit("EmojiTwo", "EmojiTwo", "CC BY 4.0"),
    "fluent_flat": Credit("Fluent Emoji Flat", "Microsoft", "MIT"),
    "noto": Credit("Noto Emoji", "Google", "Apache-2.0"),
    "noto_v1": Credit("Noto Emoji (v1)", "Google", "Apache-2.0"),
    "twemoji": Credit("Twemoji", "Twitter and contributors", "CC BY 4.0"),
}

STYLES: Final[tuple[str, ...]] = tuple(CREDITS)
"""All styles, in alphabetical order; each has drawings of all ten labels."""

_CLUTTER_FOLDER: Final = "_clutter"
_MARGIN: Final = 2


@dataclass(frozen=True, slots=True, order=True)
class Drawing:
    """One SVG file, by the parts of its path."""

    style: str
    folder: str
    name: str

    @property
    def file(self) -> Traversable:
        """The SVG file, also if the package is in a zip file."""
        return files("animals.data.sample") / "art" / self.style / self.folder / f"{self.name}.svg"


@cache
def drawings_of(style: str, folder: str) -> tuple[Drawing, ...]:
    """Return the drawings in one folder of one style, sorted by name; none if the folder does not exist."""
    art = files("animals.data.sample") / "art" / style / folder
    if not art.is_dir():
        return ()
    names = (entry.name for entry in art.iterdir())
    return tuple(sorted(Drawing(style, folder, name[: -len(".svg")]) for name in names if name.endswith(".svg")))


@cache
def clutter() -> tuple[Drawing, ...]:
    """Return the drawings of objects that are no animal, of all styles that have some."""
    return tuple(drawing for style in STYLES for drawing in drawings_of(style, _CLUTTER_FOLDER))


@cache
def render(drawing: Drawing, side: int) -> Image.Image:
    """Render one drawing; each process renders it once.

    Args:
        drawing: the drawing to render.
        side: side in pixels of the square that the drawing's view box is scaled to fit into.

    Returns:
        RGBA, cropped to the drawing plus a transparent margin, which keeps edges soft in rotations. All callers share
        the picture: copy it before changing it.
    """
    svg = drawing.file.read_text(encoding="utf-8")
    # no drawing has text, and finding the system's fonts would take longer than the rendering
    png = resvg_py.svg_to_bytes(svg_string=svg, width=side, height=side, skip_system_fonts=True)
    with Image.open(io.BytesIO(png)) as opened:
        picture = opened.convert("RGBA")
    left, top, right, bottom = picture.getchannel("A").getbbox() or (0, 0, *picture.size)
    return picture.crop((left - _MARGIN, top - _MARGIN, right + _MARGIN, bottom + _MARGIN))
