"""Which of a source's files are pictures, and where below the data set's root each of them goes."""

import functools
import unicodedata
from collections.abc import Collection
from pathlib import PurePosixPath, PureWindowsPath

from PIL import Image

from animals.errors import DataError
from animals.preprocess import FORMATS


@functools.cache
def picture_suffixes() -> frozenset[str]:
    """Endings, in small letters and with the dot, of the formats that are decoded."""
    return frozenset(suffix for suffix, kind in Image.registered_extensions().items() if kind in FORMATS)


def find_places(names: Collection[str], url: str) -> dict[str, PurePosixPath]:
    """Find the pictures in label folders; folders that wrap all of these are taken off.

    Args:
        names: of all files of a source, with forward slashes. Hidden ones are no pictures.
        url: what the source is called in messages.

    Returns:
        Name -> path below the root, which begins with the label's folder.

    Raises:
        DataError: a name would lead out of the root, or there are no two label folders.
    """
    pictures = {name: path for name in names if _is_picture(path := PurePosixPath(name))}
    if unsafe := [name for name in pictures if not is_safe(name)]:
        raise DataError(
            f"{url} holds {unsafe[0]!r}, a name that leads out of its folder or that not every system can write. "
            "Expected relative paths with forward slashes. Nothing was written."
        )
    depth = _depth_of_labels(pictures.values())
    return {name: _below(path, depth) for name, path in pictures.items() if len(path.parts) >= depth + 2} or _none(url)


def is_safe(name: str) -> bool:
    """Whether a name stays below the folder that it is written into, on every system."""
    # Windows knows more ways out than others do, and this understands theirs too
    path = PureWindowsPath(name)
    stays = not path.anchor and ".." not in path.parts and "\\" not in name
    return stays and not any(unicodedata.category(char) in ("Cc", "Cs") for char in name)


def _is_picture(path: PurePosixPath) -> bool:
    hidden = any(part.startswith(".") and part != ".." for part in path.parts)
    return not hidden and path.suffix.lower() in picture_suffixes()


def _depth_of_labels(paths: Collection[PurePosixPath]) -> int:
    """How many folders wrap the label folders: so long as there is a single folder, look into it."""
    depth = 0
    while len({path.parts[: depth + 1] for path in paths if len(path.parts) >= depth + 2}) == 1:
        depth += 1
    return depth


def _below(path: PurePosixPath, depth: int) -> PurePosixPath:
    return PurePosixPath(*path.parts[depth:])


def _none(url: str) -> dict[str, PurePosixPath]:
    raise DataError(
        f"{url} holds no pictures in two or more label folders. Expected a folder of pictures for each label, "
        f"with the endings {' '.join(sorted(picture_suffixes()))}."
    )
