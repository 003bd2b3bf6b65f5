"""Pictures of feedback records, as a folder of label folders: `invoke data --source feedback`.

    data/feedback/cane/feedback-1f0c9a7e….jpg

Each picture is in the folder of the label that its user gave last. A repeated import copies new pictures, moves those
whose label changed, and removes those deleted from the bucket. Other files are not touched, so the folder may be that
of the whole data set: `--root data/raw/raw-img`.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

from pydantic import AwareDatetime, TypeAdapter, ValidationError

from animals import registry
from animals.concurrency import in_threads
from animals.config.compose import read_run_config
from animals.data.sources.bucket import BucketSource
from animals.data.sources.folder import ImportResult, copy_pictures
from animals.errors import BrokenRecords, DataError, NoSuchObject, StorageUnavailable
from animals.prediction_records import COMPACTED_FEEDBACK, FEEDBACK, FEEDBACK_PICTURES, Feedback, pictured

_ID: Final = re.compile(r"[0-9a-f]{32}")
_IMPORTED: Final = re.compile(rf"\.?feedback-{_ID.pattern}\.jpg(\.unfinished)?")
"""Files of an earlier import, also of an interrupted one."""
_COLUMNS: Final = ["id", "time", "label", "picture"]
_TIME: Final = TypeAdapter[datetime](AwareDatetime)


class _Label(NamedTuple):
    """The label that a user gave to a picture."""

    time: datetime
    label: str
    picture: str | None
    """Name of the picture in the bucket; None if the user did not agree to its storage."""


def import_feedback(url: str, root: Path) -> ImportResult:
    """Import all pictures that users agreed to store. Only one call at a time may fill a folder.

    Args:
        url: URL of the bucket.
        root: folder for the label folders, which are named as in the data set that the model was trained on.

    Raises:
        DataError: there are no such pictures.
        NoModel: nothing is published, so the names of the folders are unknown.
        StorageUnavailable: the bucket cannot be reached, or the disk is full or not writable.
    """
    source = FeedbackSource(url)
    result = copy_pictures(source, root, find_targets=lambda names, _: {name: PurePosixPath(name) for name in names})
    removed = _remove_outdated(root, source.objects)
    if not source.objects:
        raise DataError(f"{source.url} has no pictures with feedback. The page sends one if its user ticks the box.")
    return replace(
        result,
        removed=removed,
        left_out=tuple(source.left_out),
        reason=f"no feedback names them with a label of {source.version}",
    )


class FeedbackSource(BucketSource):
    """The pictures of feedback in a bucket, under their names in a folder of label folders."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.version = ""
        """Version that serves, whose labels and folders are used."""
        self.left_out: list[str] = []
        """Pictures whose feedback is missing, or has none of these labels."""
        self.objects: dict[str, str] = {}
        """Name in the folder -> name in the bucket."""

    def sizes(self) -> dict[str, int]:
        """Return the size in bytes of each picture, by its name `folder/feedback-<id>.jpg`."""
        pictures = {
            name: size for name, size in self._storage().sizes(FEEDBACK_PICTURES) if _ID.fullmatch(pictured(name))
        }
        labels, folders = self._last_labels({pictured(name) for name in pictures}), self._folders()
        sizes: dict[str, int] = {}
        self.left_out, self.objects = [], {}
        for name, size in pictures.items():
            identity = pictured(name)
            given = labels.get(identity)
            if given and given.picture == name and given.label in folders:
                path = f"{folders[given.label]}/feedback-{identity}.jpg"
                sizes[path], self.objects[path] = size, name
            else:
                self.left_out.append(name)
        return sizes

    def read(self, names: Collection[str]) -> Iterator[tuple[str, Iterable[bytes]]]:  # noqa: D102 - see Source
        path_of = {self.objects[name]: name for name in names}
        for name, pieces in super().read(path_of):
            yield path_of[name], pieces

    def _folders(self) -> dict[str, str]:
        """Return label -> folder, as in the data set of the version that serves."""
        storage = self._storage()
        card = registry.read_card(storage, registry.read_current(storage).version)
        self.version = card.version
        folders = read_run_config(card).data.folders or {label: label for label in card.labels}
        return {label: folder for folder, label in folders.items()}

    def _last_labels(self, identities: Collection[str]) -> dict[str, _Label]:
        """Return the last label of each prediction.

        Single records are read before the tables that they are moved to, so a record that is being moved is not missed.
        """
        last: dict[str, _Label] = {}
        for identity, given in (*self._single(identities), *self._compacted(identities)):
            if identity not in last or given.time > last[identity].time:
                last[identity] = given
        return last

    def _single(self, identities: Collection[str]) -> Iterator[tuple[str, _Label]]:
        names = [name for name in self._storage().names(FEEDBACK) if PurePosixPath(name).stem in identities]
        for _, record in in_threads(self._record, names):
            if record:
                yield record.id, _Label(record.time, record.label, record.picture)

    def _record(self, name: str) -> Feedback | None:
        """Return a feedback record, or None if it is broken or was moved meanwhile."""
        with suppress(NoSuchObject, ValidationError):
            return Feedback.model_validate_json(self._storage().read(name).data)
        return None

    def _compacted(self, identities: Collection[str]) -> Iterator[tuple[str, _Label]]:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile

        for name in self._storage().names(COMPACTED_FEEDBACK):
            data = self._storage().read(name).data
            try:
                for batch in ParquetFile(BytesIO(data)).iter_batches(columns=_COLUMNS):
                    for row in batch.to_pylist():
                        if row["id"] in identities:
                            time = _TIME.validate_python(row["time"])
                            yield row["id"], _Label(time, row["label"], row["picture"])
            except (ArrowException, OSError, KeyError, ValidationError) as error:
                raise BrokenRecords(f"{name} in {self.url} is no table of feedback: {error}.") from error


def _remove_outdated(root: Path, current: Collection[str]) -> int:
    """Remove pictures of earlier imports that are not current, and return their number."""
    imported = [path for path in root.glob("*/*") if _IMPORTED.fullmatch(path.name)]
    outdated = [path for path in imported if path.relative_to(root).as_posix() not in current]
    try:
        for path in outdated:
            path.unlink()
            with suppress(OSError):  # remove the label folder if it is empty: training would refuse it
                path.parent.rmdir()
    except OSError as error:
        raise StorageUnavailable(f"Could not remove {error.filename}: {error.strerror}.") from error
    return len([path for path in outdated if not path.name.startswith(".")])
