"""Pictures that people sent with their judgement, as a folder of label folders: `invoke data --source feedback`.

    data/feedback/cane/feedback-1f0c9a7e….jpg

A picture is in the folder of the label that its person gave last. Called again, it brings what is new, moves what was
judged otherwise since, and takes away what was deleted from the bucket. Other files are left alone, so the folder may
be that of the whole data set: `--root data/raw/raw-img`.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Final

from pydantic import AwareDatetime, TypeAdapter, ValidationError

from animals import registry
from animals.concurrency import in_threads
from animals.config.compose import read_run_config
from animals.data.sources.bucket import BucketSource
from animals.data.sources.import_pictures import Fetched, fetch
from animals.errors import BrokenRecords, DataError, NoSuchObject, StorageUnavailable
from animals.records import COMPACTED_FEEDBACK, FEEDBACK, FEEDBACK_PICTURES, Feedback, pictured

_ID: Final = re.compile(r"[0-9a-f]{32}")
_OURS: Final = re.compile(rf"\.?feedback-{_ID.pattern}\.jpg(\.unfinished)?")
"""Files of an earlier call, one that was cut off too."""
_COLUMNS: Final = ["id", "time", "label", "picture"]
_TIME: Final = TypeAdapter[datetime](AwareDatetime)

Said = tuple[datetime, str, str | None]
"""When a person judged an answer, with which label, and the name of the picture if it may be kept."""


def bring_feedback(url: str, root: Path) -> Fetched:
    """Bring all pictures that people let us keep. Only one call at a time may fill a folder.

    Args:
        url: of the bucket.
        root: gets the label folders, which are called as in the data set that the model was trained on.

    Raises:
        DataError: there are none.
        NoModel: nothing is published, so that nobody knows what the folders are called.
        StorageUnavailable: the bucket cannot be reached, or the disk is full or may not be written to.
    """
    source = FeedbackSource(url)
    fetched = fetch(source, root, find=lambda names, _: {name: PurePosixPath(name) for name in names})
    removed = _remove_others(root, source.objects)
    if not source.objects:
        raise DataError(f"{source.url} holds no judged pictures. The page sends them where a person ticks the box.")
    return replace(
        fetched,
        removed=removed,
        left_out=tuple(source.left_out),
        because=f"no judgement names them with a label of {source.version}",
    )


class FeedbackSource(BucketSource):
    """The judged pictures of a bucket, by the name that each has in a folder of label folders."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.version = ""
        """The one that serves, whose labels and folders are used."""
        self.left_out: list[str] = []
        """Pictures that no judgement names, or not with one of those labels."""
        self.objects: dict[str, str] = {}
        """Name in the folder -> name in the bucket."""

    def sizes(self) -> dict[str, int]:
        """All judged pictures as `folder/feedback-<id>.jpg`, and their sizes in bytes."""
        pictures = [found for found in self._storage().sizes(FEEDBACK_PICTURES) if _ID.fullmatch(pictured(found[0]))]
        said, folders = self._said({pictured(name) for name, _ in pictures}), self._folders()
        sizes: dict[str, int] = {}
        self.left_out, self.objects = [], {}
        for name, size in pictures:
            identity = pictured(name)
            _, label, named = said.get(identity, (None, "", None))
            if named == name and label in folders:
                place = f"{folders[label]}/feedback-{identity}.jpg"
                sizes[place], self.objects[place] = size, name
            else:
                self.left_out.append(name)
        return sizes

    def read(self, names: Collection[str]) -> Iterator[tuple[str, Iterable[bytes]]]:  # noqa: D102 - the protocol's
        places = {self.objects[name]: name for name in names}
        for name, pieces in super().read(places):
            yield places[name], pieces

    def _folders(self) -> dict[str, str]:
        """Label -> folder, as in the data set that the serving version was trained on."""
        storage = self._storage()
        card = registry.read_card(storage, registry.read_current(storage).version)
        self.version = card.version
        folders = read_run_config(card).data.folders or {label: label for label in card.labels}
        return {label: folder for folder, label in folders.items()}

    def _said(self, identities: Collection[str]) -> dict[str, Said]:
        """The last judgement of each answer.

        First the loose records and then the tables that they are moved to: so none is missed that is being moved.
        """
        last: dict[str, Said] = {}
        for identity, said in (*self._loose(identities), *self._compacted(identities)):
            if identity not in last or said[0] > last[identity][0]:
                last[identity] = said
        return last

    def _loose(self, identities: Collection[str]) -> Iterator[tuple[str, Said]]:
        names = [name for name in self._storage().names(FEEDBACK) if PurePosixPath(name).stem in identities]
        for _, record in in_threads(self._record, names):
            if record:
                yield record.id, (record.time, record.label, record.picture)

    def _record(self, name: str) -> Feedback | None:
        """A judgement; None if it is broken, or was moved meanwhile."""
        with suppress(NoSuchObject, ValidationError):
            return Feedback.model_validate_json(self._storage().read(name).data)
        return None

    def _compacted(self, identities: Collection[str]) -> Iterator[tuple[str, Said]]:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile

        for name in self._storage().names(COMPACTED_FEEDBACK):
            data = self._storage().read(name).data
            try:
                for batch in ParquetFile(BytesIO(data)).iter_batches(columns=_COLUMNS):
                    for row in batch.to_pylist():
                        if row["id"] in identities:
                            yield row["id"], (_TIME.validate_python(row["time"]), row["label"], row["picture"])
            except (ArrowException, OSError, KeyError, ValidationError) as error:
                raise BrokenRecords(f"{name} in {self.url} is no table of judgements: {error}.") from error


def _remove_others(root: Path, wanted: Collection[str]) -> int:
    """Take away pictures of earlier calls that are not wanted any more; how many there were."""
    there = [path for path in root.glob("*/*") if _OURS.fullmatch(path.name)]
    others = [path for path in there if path.relative_to(root).as_posix() not in wanted]
    try:
        for path in others:
            path.unlink()
            with suppress(OSError):  # a label folder without pictures would be refused; another is not empty
                path.parent.rmdir()
    except OSError as error:
        raise StorageUnavailable(f"Could not remove {error.filename}: {error.strerror}.") from error
    return len([path for path in others if not path.name.startswith(".")])
