"""Read a folder of label folders as a list of pictures."""

import os
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from animals.errors import DataError

MAX_LABEL_LENGTH: Final = 100
"""In characters."""

_FORBIDDEN: Final = frozenset('<>:"/\\|?*')
"""Characters that a folder's name must not have on Windows."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A file in a label folder, not decoded yet."""

    name: str
    """Path relative to the data set's root, with forward slashes."""
    label: str
    size: int
    """In bytes."""
    modified: int
    """Time of the last change in nanoseconds."""
    extra: bool = False
    """Whether it is from `data.extra`, for training only."""


def find_pictures(root: Path, folders: Mapping[str, str]) -> list[Picture]:
    """Return all files in the label folders except hidden ones, sorted by name.

    Args:
        root: folder of label folders.
        folders: folder name -> label; empty: each folder's name is its label.

    Raises:
        DataError: the root is missing, a label folder is empty, unknown or missing, there are fewer than two labels,
            a label cannot be used on every system, or a name is not UTF-8.
    """
    labels = _label_folders(root, folders)
    _check_labels(root, set(labels.values()))
    files = {folder: _files(root / folder) for folder in labels}
    if empty := [folder for folder, paths in files.items() if not paths]:
        raise DataError(
            f"{root} has label folders without files: {', '.join(empty)}. Add pictures or remove the folders."
        )
    pictures = [read_picture(root, path, labels[folder]) for folder, paths in files.items() for path in paths]
    _check_names(root, pictures)
    return sorted(pictures, key=lambda picture: picture.name)


def find_extra(root: Path, extra: Path, folders: Mapping[str, str], labels: Collection[str]) -> list[Picture]:
    """Return all files in the label folders of a second folder, sorted by name; labels may be missing.

    Args:
        root: root of the data set. Names are relative to it and may begin with `..`.
        extra: folder of label folders.
        folders: folder name -> label; a folder may also be named as its label.
        labels: labels of the data set.

    Raises:
        DataError: a folder is no label of the data set, there are no files, or a name is not UTF-8.
    """
    label_of = {name: folders.get(name, _composed(name)) for name in _folder_names(extra)}
    if unknown := sorted(name for name, label in label_of.items() if label not in labels):
        raise DataError(
            f"{extra} has folders that are no label of {root}: {', '.join(unknown)}. "
            f"Expected: {', '.join(sorted(labels))}. Remove the others."
        )
    prefix = _relative_path(extra, root)
    pictures = [
        replace(read_picture(extra, path, label), name=(prefix / path.relative_to(extra)).as_posix(), extra=True)
        for name, label in label_of.items()
        for path in _files(extra / name)
    ]
    if not pictures:
        raise DataError(f"{extra} has no files in label folders. Add pictures, or leave data.extra empty.")
    _check_names(extra, pictures)
    return sorted(pictures, key=lambda picture: picture.name)


def _relative_path(path: Path, root: Path) -> Path:
    """Return `path` relative to `root`, or the absolute path if they are on two drives of Windows."""
    path, root = path.resolve(), root.resolve()  # if root is a link, ".." is relative to its target
    try:
        return Path(os.path.relpath(path, root))
    except ValueError:
        return path


def _check_names(root: Path, pictures: Sequence[Picture]) -> None:
    if odd := [picture.name for picture in pictures if not _is_text(picture.name)]:
        raise DataError(f"{root} has {len(odd)} files whose names are not UTF-8, such as {odd[0]!a}. Rename them.")


def _folder_names(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))


def _label_folders(root: Path, folders: Mapping[str, str]) -> dict[str, str]:
    """Return folder name -> label."""
    if not root.is_dir():
        raise DataError(f"{root} is no folder. Expected a folder with one folder of pictures for each label.")
    existing = _folder_names(root)
    if not folders:
        if len(existing) < 2:
            raise DataError(f"{root} has {len(existing)} label folders ({', '.join(existing)}); expected two or more.")
        return {name: _composed(name) for name in existing}
    if unknown := sorted(set(existing) - set(folders)):
        raise DataError(
            f"{root} has folders that are no label: {', '.join(unknown)}. Expected: {', '.join(sorted(folders))}. "
            "Remove them, or add them to data.folders."
        )
    if missing := sorted(set(folders) - set(existing)):
        raise DataError(f"{root} lacks the label folders {', '.join(missing)}. Add them, or change data.folders.")
    return {name: folders[name] for name in existing}


def _composed(name: str) -> str:
    """Return a name with each accented letter as one character; some file systems store two."""
    return unicodedata.normalize("NFC", name)


def _check_labels(root: Path, labels: Collection[str]) -> None:
    """Raise DataError for labels that cannot be folder names on every system, as imported feedback needs."""
    if odd := sorted(label for label in labels if not _is_label(label)):
        raise DataError(
            f"{root} has labels that cannot be used: {', '.join(map(repr, odd))}. Expected 1 to {MAX_LABEL_LENGTH} "
            f"printable characters, none of {' '.join(sorted(_FORBIDDEN))}, and no space or dot at either end. "
            "Rename the folder, or give it another label in data.folders."
        )
    alike = defaultdict(list)
    for label in sorted(labels):
        alike[label.casefold()].append(label)
    if same := [" and ".join(group) for group in alike.values() if len(group) > 1]:
        raise DataError(
            f"{root} has labels that differ only in case, which some systems treat as one folder: {', '.join(same)}. "
            "Rename one, or give both the same label in data.folders."
        )


def _is_label(label: str) -> bool:
    fits = 0 < len(label) <= MAX_LABEL_LENGTH and label == label.strip(" .")
    return fits and label.isprintable() and not _FORBIDDEN & set(label)


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]


def _is_text(name: str) -> bool:
    """Return whether a name is valid text; on Linux, names from old archives may be mere bytes."""
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def read_picture(root: Path, path: Path, label: str) -> Picture:
    """Return the file as a `Picture` with a name relative to `root`."""
    stat = path.stat()
    return Picture(path.relative_to(root).as_posix(), label, stat.st_size, stat.st_mtime_ns)
