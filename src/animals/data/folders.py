"""A folder of label folders, read as a list of pictures."""

import os
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from animals.errors import DataError

LONGEST_LABEL: Final = 100
"""Characters."""

_NOT_IN_NAMES: Final = frozenset('<>:"/\\|?*')
"""What no folder's name may hold on Windows."""


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
    extra: bool = False
    """Whether it is only ever trained on."""


def find_pictures(root: Path, folders: Mapping[str, str]) -> list[Picture]:
    """All files in the label folders, sorted by name; hidden ones are passed over.

    Args:
        root: folder of label folders.
        folders: folder name -> label; empty: each folder's name is its label.

    Raises:
        DataError: the root is missing, a label folder is empty, unknown or missing, there are fewer than two labels,
            a label is none that can be used everywhere, or a name cannot be written down.
    """
    labels = _label_folders(root, folders)
    _check_labels(root, set(labels.values()))
    files = {folder: _files(root / folder) for folder in labels}
    if empty := [folder for folder, paths in files.items() if not paths]:
        raise DataError(f"{root} has label folders without files: {', '.join(empty)}. Fill them or move them away.")
    pictures = [_picture(root, path, labels[folder]) for folder, paths in files.items() for path in paths]
    _check_names(root, pictures)
    return sorted(pictures, key=lambda picture: picture.name)


def find_extra(root: Path, extra: Path, folders: Mapping[str, str], labels: Collection[str]) -> list[Picture]:
    """All files in the label folders of a second folder, sorted by name; not every label needs to be there.

    Args:
        root: of the data set, which the names are relative to: they may begin with `..`.
        extra: folder of label folders.
        folders: folder name -> label; a label's own name is known too.
        labels: of the data set.

    Raises:
        DataError: there is another label, no file at all, or a name that cannot be written down.
    """
    found = sorted(path for path in extra.iterdir() if path.is_dir() and not path.name.startswith("."))
    named = {path: folders.get(path.name, _composed(path.name)) for path in found}
    if unknown := sorted(path.name for path, label in named.items() if label not in labels):
        raise DataError(
            f"{extra} holds folders that are no label of {root}: {', '.join(unknown)}. "
            f"Expected: {', '.join(sorted(labels))}."
        )
    # through the real paths: where root is a link, ".." leads out of what it points to
    way = Path(_way(extra.resolve(), root.resolve()))
    pictures = [
        replace(_picture(extra, path, label), name=(way / path.relative_to(extra)).as_posix(), extra=True)
        for folder, label in named.items()
        for path in _files(folder)
    ]
    if not pictures:
        raise DataError(f"{extra} holds no files in label folders. Fill it, or leave data.extra away.")
    _check_names(extra, pictures)
    return sorted(pictures, key=lambda picture: picture.name)


def _way(path: Path, root: Path) -> str:
    try:
        return os.path.relpath(path, root)
    except ValueError:  # on another drive of Windows, where only the whole path leads
        return str(path)


def _check_names(root: Path, pictures: Sequence[Picture]) -> None:
    if odd := [picture.name for picture in pictures if not _is_text(picture.name)]:
        raise DataError(f"{root} holds {len(odd)} files whose names are no UTF-8, such as {odd[0]!a}. Rename them.")


def _label_folders(root: Path, folders: Mapping[str, str]) -> dict[str, str]:
    if not root.is_dir():
        raise DataError(f"{root} is no folder. Expected a folder with one folder of pictures for each label.")
    found = sorted(path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not folders:
        if len(found) < 2:
            raise DataError(f"{root} holds {len(found)} label folders ({', '.join(found)}); expected two or more.")
        return {name: _composed(name) for name in found}
    if unknown := sorted(set(found) - set(folders)):
        raise DataError(
            f"{root} holds folders that are no label: {', '.join(unknown)}. Expected: {', '.join(sorted(folders))}. "
            "Move them away, or name them in data.folders."
        )
    if missing := sorted(set(folders) - set(found)):
        raise DataError(f"{root} lacks the label folders {', '.join(missing)}.")
    return {name: folders[name] for name in found}


def _composed(name: str) -> str:
    """A name with each accented letter as one character, as it is typed; some file systems keep it as two."""
    return unicodedata.normalize("NFC", name)


def _check_labels(root: Path, labels: Collection[str]) -> None:
    """Refuse labels that cannot be shown, sent, or made a folder of everywhere, in which feedback comes back."""
    if odd := sorted(label for label in labels if not _is_label(label)):
        raise DataError(
            f"{root} has labels that cannot be used: {', '.join(map(repr, odd))}. A label is 1 to {LONGEST_LABEL} "
            f"characters that can be printed, none of {' '.join(sorted(_NOT_IN_NAMES))} and no space or dot at either "
            "end. Rename the folder, or give it another label in data.folders."
        )
    alike = defaultdict(list)
    for label in sorted(labels):
        alike[label.casefold()].append(label)
    if same := [" and ".join(group) for group in alike.values() if len(group) > 1]:
        raise DataError(
            f"{root} has labels that differ in capitals only, which is one folder on some systems: {', '.join(same)}. "
            "Rename one, or give both the same label in data.folders."
        )


def _is_label(label: str) -> bool:
    fits = 0 < len(label) <= LONGEST_LABEL and label == label.strip(" .")
    return fits and label.isprintable() and not _NOT_IN_NAMES & set(label)


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]


def _is_text(name: str) -> bool:
    """Whether a name is more than bytes, as names from old archives may be on Linux."""
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def _picture(root: Path, path: Path, label: str) -> Picture:
    stat = path.stat()
    return Picture(path.relative_to(root).as_posix(), label, stat.st_size, stat.st_mtime_ns)
