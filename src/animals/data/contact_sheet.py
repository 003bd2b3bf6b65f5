"""Many small pictures on one sheet."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from PIL import Image, ImageOps

from animals.preprocess import open_picture

_GAP: Final = 4


def contact_sheet(paths: Sequence[Path], columns: int = 8, cell: tuple[int, int] = (150, 112)) -> Image.Image:
    """Draw pictures in a grid, row by row in their order.

    Args:
        paths: pictures of any size.
        columns: pictures in a row.
        cell: width and height in pixels that each picture is scaled to fit into.

    Returns:
        RGB on white.

    Raises:
        ValueError: no pictures, or no columns.
        NotAPicture: no decoder reads one of them.
    """
    if not paths or columns < 1:
        raise ValueError(f"a contact sheet needs pictures and columns, got {len(paths)} pictures, {columns} columns")
    rows = -(-len(paths) // columns)
    width, height = cell[0] + _GAP, cell[1] + _GAP
    sheet = Image.new("RGB", (columns * width + _GAP, rows * height + _GAP), "white")
    for index, path in enumerate(paths):
        thumbnail = ImageOps.pad(open_picture(path), cell, color="white")
        sheet.paste(thumbnail, (_GAP + index % columns * width, _GAP + index // columns * height))
    return sheet
