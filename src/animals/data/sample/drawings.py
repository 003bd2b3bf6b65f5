"""The licensed SVG drawings that come with the package, rendered to pixels.

They lie under `art/<style>/<folder>/<name>.svg`, where a folder is one of Animals-10 or `_clutter`. Who drew them and
under which licence is in `art/NOTICE.md`.
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
    """Who drew a style, and what allows us to carry it."""

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
"""Every style that has drawings of all ten labels, in alphabetical order."""

_CLUTTER_FOLDER: Final = "_clutter"
_MARGIN: Final = 2


@dataclass(frozen=True, slots=True, order=True)
class Drawing:
    """One SVG file, named by where it lies."""

    style: str
    folder: str
    name: str

    @property
    def file(self) -> Traversable:
        """The SVG file, also where the package is a zip."""
        return files("animals.data.sample") / "art" / self.style / self.folder / f"{self.name}.svg"


@cache
def drawings_of(style: str, folder: str) -> tuple[Drawing, ...]:
    """The drawings in one folder of one style, sorted by name; none where there is no such folder."""
    where = files("animals.data.sample") / "art" / style / folder
    if not where.is_dir():
        return ()
    names = (entry.name for entry in where.iterdir())
    return tuple(sorted(Drawing(style, folder, name[: -len(".svg")]) for name in names if name.endswith(".svg")))


@cache
def clutter() -> tuple[Drawing, ...]:
    """Drawings of things that are no animal, of all styles: only some have any."""
    return tuple(drawing for style in STYLES for drawing in drawings_of(style, _CLUTTER_FOLDER))


@cache
def render(drawing: Drawing, side: int) -> Image.Image:
    """Render one drawing, once a process.

    Args:
        drawing: what to render.
        side: of the square that the drawing's view box is fitted into, in pixels.

    Returns:
        RGBA, cut to what is drawn plus a transparent margin that keeps edges soft when it is turned. The picture is
        shared by all callers: copy it before changing it.
    """
    svg = drawing.file.read_text(encoding="utf-8")
    # No drawing holds text, and looking for the system's fonts would take longer than all else here.
    png = resvg_py.svg_to_bytes(svg_string=svg, width=side, height=side, skip_system_fonts=True)
    with Image.open(io.BytesIO(png)) as opened:
        picture = opened.convert("RGBA")
    left, top, right, bottom = picture.getchannel("A").getbbox() or (0, 0, *picture.size)
    return picture.crop((left - _MARGIN, top - _MARGIN, right + _MARGIN, bottom + _MARGIN))
