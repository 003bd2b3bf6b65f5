"""Find the pictures among the files of a source, and their paths below the data set's root."""

import functools
import unicodedata
from collections.abc import Collection
from pathlib import PurePosixPath, PureWindowsPath

from PIL import Image

from animals.errors import DataError
from animals.preprocess import FORMATS


@functools.cache
def picture_suffixes() -> frozenset[str]:
    """Return the file extensions of the supported formats, in lower case with the dot."""
    return frozenset(suffix for suffix, format in Image.registered_extensions().items() if format in FORMATS)


def target_paths(names: Collection[str], url: str) -> dict[str, PurePosixPath]:
    """Return the path below the root of each picture in a label folder, without folders that contain all of them.

    Args:
        names: names of all files of a source, with forward slashes; hidden ones are skipped.
        url: name of the source in messages.

    Returns:
        Name -> path, which begins with the label's folder.

    Raises:
        DataError: a name leads out of the root, or there are fewer than two label folders.
    """
    pictures = {name: path for name in names if _is_picture(path := PurePosixPath(name))}
    if unsafe := [name for name in pictures if not is_safe(name)]:
        raise DataError(
            f"{url} has a file named {unsafe[0]!r}, which leads out of its folder or is not valid on every system. "
            "Expected relative paths with forward slashes. Nothing was written."
        )
    depth = _label_depth(pictures.values())
    paths = {
        name: PurePosixPath(*path.parts[depth:]) for name, path in pictures.items() if len(path.parts) >= depth + 2
    }
    if not paths:
        raise DataError(
            f"{url} has no pictures in two or more label folders. Expected a folder of pictures for each label, "
            f"with the extensions {' '.join(sorted(picture_suffixes()))}."
        )
    return paths


def is_safe(name: str) -> bool:
    """Return whether a name stays below the folder that it is written into, on every system."""
    path = PureWindowsPath(name)  # it knows drives and backslashes, and understands POSIX paths too
    inside = not path.anchor and ".." not in path.parts and "\\" not in name
    return inside and not any(unicodedata.category(char) in ("Cc", "Cs") for char in name)


def _is_picture(path: PurePosixPath) -> bool:
    hidden = any(part.startswith(".") and part != ".." for part in path.parts)
    return not hidden and path.suffix.lower() in picture_suffixes()


def _label_depth(paths: Collection[PurePosixPath]) -> int:
    """Return the depth of the label folders: the first at which there is more than one folder."""
    depth = 0
    while len({path.parts[: depth + 1] for path in paths if len(path.parts) >= depth + 2}) == 1:
        depth += 1
    return depth
