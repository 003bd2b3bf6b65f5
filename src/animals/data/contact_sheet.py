"""Many pictures on one sheet, to look at a data set at a glance."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from PIL import Image, ImageOps

from animals.preprocess import open_picture

_GAP: Final = 4


def contact_sheet(paths: Sequence[Path], columns: int = 8, cell: tuple[int, int] = (150, 112)) -> Image.Image:
    """Put pictures in a grid, row by row in the order given.

    Args:
        paths: pictures of any size.
        columns: pictures a row.
        cell: width and height in pixels that each picture is fitted into, whole.

    Returns:
        RGB on white, large enough for all rows, the last of which may be short.

    Raises:
        ValueError: no pictures, or no columns.
        NotAPicture: no decoder reads one of them.
    """
    if not paths or columns < 1:
        raise ValueError(f"a contact sheet needs pictures and columns, got {len(paths)} pictures, {columns} columns")
    rows = -(-len(paths) // columns)
    width, height = cell[0] + _GAP, cell[1] + _GAP
    sheet = Image.new("RGB", (columns * width + _GAP, rows * height + _GAP), "white")
    for k, path in enumerate(paths):
        thumbnail = ImageOps.pad(open_picture(path), cell, color="white")
        sheet.paste(thumbnail, (_GAP + k % columns * width, _GAP + k // columns * height))
    return sheet
