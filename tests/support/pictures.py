"""Small pictures made on the spot: a colour a label, so that a tiny network learns them in seconds."""

from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

COLORS = {"blue": (40, 60, 220), "green": (50, 200, 60), "red": (220, 50, 40)}


def write_picture(path: Path, color: tuple[int, int, int], *, seed: int, size: tuple[int, int] = (40, 30)) -> None:
    """A JPEG of one colour with noise on it; the seed decides the noise."""
    noise = np.random.default_rng(seed).normal(0, 25, (size[1], size[0], 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(np.array(color) + noise, 0, 255).astype(np.uint8)).save(path, quality=90)


def write_label_folders(root: Path, *, per_label: int = 20) -> Path:
    """A folder of label folders: `blue`, `green` and `red`."""
    for place, (label, color) in enumerate(COLORS.items()):
        for number in range(per_label):
            write_picture(root / label / f"{number:03}.jpg", color, seed=1000 * place + number)
    return root


def file_contents(root: Path) -> dict[str, bytes]:
    """Return the content of every file below a root, the hidden ones too, by its name with forward slashes."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*.*")}


def scene(seed: int, size: tuple[int, int] = (120, 90)) -> Image.Image:
    """Blots of many colours, large ones strong and small ones weak: what hashes take for a photograph."""
    rng = np.random.default_rng(seed)
    picture = np.full((size[1], size[0], 3), 128.0)
    for blots in (2, 4, 8, 16, 32):
        layer = Image.fromarray(rng.integers(0, 256, (blots, blots, 3), np.uint8))
        picture += (np.asarray(layer.resize(size, Image.Resampling.BICUBIC)) - 128.0) / blots
    return Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))


def turned(orientation: int) -> Image.Exif:
    """EXIF that says how a picture is turned."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    return exif
