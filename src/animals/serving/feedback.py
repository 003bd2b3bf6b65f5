"""What people say of the answers: `POST /post_data/` stores it in the bucket, and says so only then."""

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, Final, Literal, TypeVar

import anyio
import anyio.to_thread
from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from pydantic import Field, ValidationError

from animals.errors import Busy, NoSuchObject, ObjectChanged, WrongFeedback
from animals.records import Feedback, Record, picture_name, pictures_of
from animals.serving.error_responses import FEEDBACK, documented
from animals.serving.feedback_picture import kept_picture
from animals.serving.metrics import Metrics
from animals.serving.tokens import Answer, Tokens
from animals.storage import ABSENT, Storage

T = TypeVar("T")

WRITERS: Final = 8
"""Judgements that are stored at once: Google's client keeps ten connections open for all threads together."""

WAIT_SECONDS: Final = 2.0
"""How long a judgement waits for its turn; while the bucket answers, hundreds have theirs in that time."""

MARKS: Final = 1000
"""Brackets and commas of a body that is still parsed; a label may have some."""

TRIES: Final = 10
"""To store a judgement of an answer that others judge at the same moment."""


class Judgement(Record):
    """What a person says of an answer."""

    x: str
    """What the picture shows: one of the labels of the answer."""
    prediction_id: str
    """Of the answer, as `POST /classify/` gave it."""
    picture: Annotated[str | None, Field(json_schema_extra={"contentEncoding": "base64"})] = None
    """The file that was classified, to be kept for training; only if the person agrees to that."""


class Stored(Record):
    """The judgement is in the bucket."""

    stored: Literal[True] = True
    id: str
    """Of the answer and of the record."""
    label: str
    """The person's."""
    picture: bool
    """Whether the picture is kept too."""


class _Turns:
    """Threads for one kind of work."""

    def __init__(self, threads: int) -> None:
        self._free = anyio.Semaphore(threads)
        self._threads = anyio.CapacityLimiter(threads)

    async def run(self, job: Callable[[], T]) -> T:
        """Do a job in a thread when its turn has come.

        Raises:
            Busy: others take too long; the job was not begun.
        """
        with anyio.move_on_after(WAIT_SECONDS) as waiting:
            await self._free.acquire()
        if waiting.cancelled_caught:
            raise Busy("More feedback comes than can be stored in time, so this was not. Try again in 2 s.", 2)
        try:
            # else a bucket that hangs would hold up the end of the service, and the prediction log with it
            return await anyio.to_thread.run_sync(job, limiter=self._threads, abandon_on_cancel=True)
        finally:
            self._free.release()


class FeedbackBox:
    """Takes judgements. It belongs to one event loop; pictures and the bucket are waited for in threads.

    Args:
        storage: the bucket.
        tokens: read what was answered.
        metrics: counts what is stored.
        max_pixels: largest picture that is decoded.
    """

    def __init__(self, storage: Storage, tokens: Tokens, metrics: Metrics, *, max_pixels: int) -> None:
        self._storage = storage
        self._tokens = tokens
        self._metrics = metrics
        self._max_pixels = max_pixels
        self._writing = _Turns(WRITERS)
        self._drawing = _Turns(1)  # as long as classifying a picture, and as much memory

    async def take(self, judgement: Judgement) -> Stored:
        """Store a judgement; once this returns it is durable.

        Raises:
            InvalidToken: the answer is not ours, or too old.
            WrongFeedback: the label is none of the answer's, or the picture is another.
            PictureError: the picture cannot be used.
            Busy: there is too much of it at the moment.
            ObjectChanged: a later judgement of the same answer is stored.
            StorageUnavailable: the bucket cannot be reached.
        """
        came = datetime.now(UTC)
        answer = self._tokens.read(judgement.prediction_id)
        if judgement.x not in answer.probabilities:
            raise WrongFeedback(
                f'"{judgement.x[:50]}" is none of the labels of that answer; '
                f"expected one of {', '.join(answer.probabilities)}."
            )
        record, picture = _record(answer, judgement.x, came), None
        if judgement.picture is not None:
            job = partial(kept_picture, answer, judgement.picture, max_pixels=self._max_pixels)
            picture = await self._drawing.run(job)
            record = record.model_copy(update={"picture": picture_name(answer.time, answer.id, came)})
        await self._writing.run(partial(self._store, record, picture))
        return Stored(id=record.id, label=record.label, picture=record.picture is not None)

    def _store(self, record: Feedback, picture: bytes | None) -> None:
        """Write the picture, then the record that names it, then forget what earlier ones named."""
        if record.picture is not None and picture is not None:
            self._storage.write(record.picture, picture)
        try:
            other = self._write(record)
        except (Busy, ObjectChanged):
            if record.picture is not None:
                self._forget(record.picture)
            raise
        if other is None or other.label != record.label:
            self._metrics.judged(record.label, right=record.label == record.prediction)
        if other is not None or record.picture is not None:
            self._forget_before(record, max(record.time, other.time) if other else record.time)

    def _write(self, record: Feedback) -> Feedback | None:
        """Write a record in the place of an earlier one, and return that; or the later one that says the same.

        Its name is that of the answer, so a repetition finds what it repeats. A write that was held up on its way must
        not undo a later one: each names the generation that it replaces, which is nearly always none.

        Raises:
            ObjectChanged: a later one is there, which says something else.
            Busy: others were quicker each time.
        """
        generation, before = ABSENT, None
        for _ in range(TRIES):
            try:
                self._storage.write(record.name, record.model_dump_json().encode(), if_generation=generation)
            except ObjectChanged:
                generation, before = self._before(record.name)
            else:
                return before
            if before is not None and before.time > record.time:
                if (before.label, before.picture is None) == (record.label, record.picture is None):
                    return before
                raise ObjectChanged("A later judgement of this answer is stored already, so this one is not.")
        raise Busy("This answer is being judged by many at this moment, so this was not stored. Try again in 1 s.")

    def _before(self, name: str) -> tuple[str, Feedback | None]:
        """What is stored of an answer, and its generation."""
        try:
            found = self._storage.read(name)
        except NoSuchObject:  # it was moved away meanwhile, into a table of many
            return ABSENT, None
        try:
            return found.generation, Feedback.model_validate_json(found.data)
        except ValidationError:  # no use to anybody, so it may be replaced
            return found.generation, None

    def _forget_before(self, record: Feedback, judged: datetime) -> None:
        """Remove the pictures of earlier judgements of an answer: whose picture is to be kept has sent it again.

        After the record is written: until then the earlier one counts, and names its picture. If this fails, nothing is
        acknowledged, and the repetition finds them again.
        """
        first_to_keep = picture_name(record.answered, record.id, judged)
        for name in list(self._storage.names(pictures_of(record.answered, record.id))):
            if name < first_to_keep:
                self._forget(name)

    def _forget(self, picture: str) -> None:
        with contextlib.suppress(NoSuchObject):  # others forget it too
            self._storage.delete(picture)


def _record(answer: Answer, label: str, came: datetime) -> Feedback:
    return Feedback(
        id=answer.id,
        time=came,
        answered=answer.time,
        version=answer.version,
        label=label,
        prediction=answer.prediction,
        confidence=answer.probabilities[answer.prediction],
        probabilities=answer.probabilities,
    )


router = APIRouter()

_REFUSALS: Final[dict[int | str, dict[str, Any]]] = documented(
    *(400, 401, 408, 409, 410, 413, 415, 422, 429, 503),
    meaning={
        400: "The prediction id was not given out by this service, or the body cannot be read.",
        422: "A field is missing or of another kind, the label is none of the answer's, or the picture is another.",
        503: "The bucket is out of reach, so nothing is stored; `Retry-After` says when to try again.",
    },
)


_BODY: Final = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": Judgement.model_json_schema()}}}
}


@router.post(FEEDBACK, include_in_schema=False)
@router.post(f"{FEEDBACK}/", responses=_REFUSALS, openapi_extra=_BODY)
async def post_data(request: Request) -> Stored:
    """Say what is really on a picture that was classified; a later word on the same answer replaces an earlier one."""
    box: FeedbackBox = request.state.feedback
    return await box.take(_read(await request.body()))


def _read(body: bytes) -> Judgement:
    """A judgement out of a request's body.

    Three texts in one object have few brackets and commas. A body with many is refused unread: parsed, twenty million
    bytes of them would be gigabytes.

    Raises:
        RequestValidationError: it is none.
    """
    if sum(map(body.count, (b"{", b"[", b","))) > MARKS:
        raise RequestValidationError([])
    try:
        return Judgement.model_validate_json(body)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False, include_context=False)
        raise RequestValidationError([{**problem, "loc": ("body", *problem["loc"])} for problem in problems]) from error
