"""Write feedback records and their pictures to the bucket, so that concurrent feedback on one prediction is safe."""

import contextlib
from datetime import datetime
from typing import Final

from pydantic import ValidationError

from animals.errors import Busy, NoSuchObject, ObjectChanged
from animals.prediction_records import Feedback, picture_name, pictures_of
from animals.serving.metrics import Metrics
from animals.storage import ABSENT, Storage

MAX_ATTEMPTS: Final = 10
"""Attempts to write a record that others write at the same moment."""


class FeedbackStore:
    """The feedback records in the bucket: one for each prediction, of which the latest is kept."""

    def __init__(self, storage: Storage, metrics: Metrics) -> None:
        self._storage = storage
        self._metrics = metrics

    def store(self, record: Feedback, picture: bytes | None) -> None:
        """Write the picture, then the record that names it, then delete the pictures of earlier records.

        Raises:
            ObjectChanged: a later record of the same prediction is stored.
            Busy: others write the same record at this moment.
        """
        if record.picture is not None and picture is not None:
            self._storage.write(record.picture, picture)
        try:
            other = self._write(record)
        except (Busy, ObjectChanged):
            if record.picture is not None:
                self._delete(record.picture)
            raise
        if other is None or other.label != record.label:
            self._metrics.count_feedback(record.label, right=record.label == record.prediction)
        if other is not None or record.picture is not None:
            self._delete_pictures_before(record, max(record.time, other.time) if other else record.time)

    def _write(self, record: Feedback) -> Feedback | None:
        """Write a record; return the earlier one that it replaces, or the later one that has the same content.

        The name of a record is that of its prediction, so a repetition finds what it repeats. A delayed write must not
        undo a later one: each write names the generation that it replaces, nearly always none.
        """
        generation, existing = ABSENT, None
        for _ in range(MAX_ATTEMPTS):
            try:
                self._storage.write(record.name, record.model_dump_json().encode(), if_generation=generation)
            except ObjectChanged:
                generation, existing = self._read(record.name)
            else:
                return existing
            if existing is not None and existing.time > record.time:
                if (existing.label, existing.picture is None) == (record.label, record.picture is None):
                    return existing
                raise ObjectChanged("Later feedback on this prediction is stored already, so this one is not.")
        raise Busy("Others send feedback on this prediction at this moment, so this was not stored. Try again in 1 s.")

    def _read(self, name: str) -> tuple[str, Feedback | None]:
        """Return the generation of a record, and the record; None if there is none or it cannot be read."""
        try:
            stored = self._storage.read(name)
        except NoSuchObject:  # compaction has moved it into a table
            return ABSENT, None
        try:
            return stored.generation, Feedback.model_validate_json(stored.data)
        except ValidationError:  # damaged, so it may be replaced
            return stored.generation, None

    def _delete_pictures_before(self, record: Feedback, time: datetime) -> None:
        """Delete the pictures of earlier records of a prediction: a person who agrees to keep it sends it again.

        This comes after the record is written: until then the earlier one is valid, and names its picture. If it fails,
        the client gets an error, and its repetition finds the pictures again.
        """
        first_to_keep = picture_name(record.answered, record.id, time)
        for name in list(self._storage.names(pictures_of(record.answered, record.id))):
            if name < first_to_keep:
                self._delete(name)

    def _delete(self, picture: str) -> None:
        with contextlib.suppress(NoSuchObject):  # others delete it too
            self._storage.delete(picture)
