"""A folder of label folders, read as a list of pictures."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from animals.errors import DataError


@dataclass(frozen=True, slots=True)
class Picture:
    """A file that should be a picture."""

    name: str
    """Path below the data set's root, with forward slashes."""
    label: str
    size: int
    """In bytes."""
    modified: int
    """Time of the last change, in nanoseconds."""


def find_pictures(root: Path, folders: Mapping[str, str]) -> list[Picture]:
    """All files in the label folders, sorted by name; hidden ones are passed over.

    Args:
        root: folder of label folders.
        folders: folder name -> label; empty: each folder's name is its label.

    Raises:
        DataError: the root is missing, a label folder is empty, unknown or missing, there are fewer than two labels,
            or a name cannot be written down.
    """
    labels = _label_folders(root, folders)
    files = {folder: _files(root / folder) for folder in labels}
    if empty := [folder for folder, paths in files.items() if not paths]:
        raise DataError(f"{root} has label folders without files: {', '.join(empty)}. Fill them or move them away.")
    pictures = [_picture(root, path, labels[folder]) for folder, paths in files.items() for path in paths]
    if odd := [picture.name for picture in pictures if not _is_text(picture.name)]:
        raise DataError(f"{root} holds {len(odd)} files whose names are no UTF-8, such as {odd[0]!a}. Rename them.")
    return sorted(pictures, key=lambda picture: picture.name)


def _label_folders(root: Path, folders: Mapping[str, str]) -> dict[str, str]:
    if not root.is_dir():
        raise DataError(f"{root} is no folder. Expected a folder with one folder of pictures for each label.")
    found = sorted(path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not folders:
        if len(found) < 2:
            raise DataError(f"{root} holds {len(found)} label folders ({', '.join(found)}); expected two or more.")
        return {name: name for name in found}
    if unknown := sorted(set(found) - set(folders)):
        raise DataError(
            f"{root} holds folders that are no label: {', '.join(unknown)}. Expected: {', '.join(sorted(folders))}. "
            "Move them away, or name them in data.folders."
        )
    if missing := sorted(set(folders) - set(found)):
        raise DataError(f"{root} lacks the label folders {', '.join(missing)}.")
    return {name: folders[name] for name in found}


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]


def _is_text(name: str) -> bool:
    """Whether a name is more than bytes, as names from old archives may be on Linux."""
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def _picture(root: Path, path: Path, label: str) -> Picture:
    stat = path.stat()
    return Picture(path.relative_to(root).as_posix(), label, stat.st_size, stat.st_mtime_ns)
