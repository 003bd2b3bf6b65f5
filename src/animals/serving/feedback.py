"""Feedback on predictions: `POST /post_data/` responds only when it is stored in the bucket."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, TypeVar

import anyio
import anyio.to_thread
from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from animals.api import FEEDBACK_PATH, FeedbackRequest, FeedbackResponse
from animals.errors import Busy, WrongFeedback
from animals.prediction_records import Feedback, picture_name
from animals.serving.error_responses import documented
from animals.serving.feedback_picture import make_feedback_picture
from animals.serving.feedback_store import FeedbackStore
from animals.serving.tokens import Tokens

Result = TypeVar("Result")

MAX_WRITES: Final = 8
"""Records that are written at once: Google's client keeps ten connections open for all threads together."""

WAIT_SECONDS: Final = 2.0
"""How long feedback waits for a thread; while the bucket answers, hundreds of records are written in that time."""

MAX_DELIMITERS: Final = 1000
"""Brackets and commas of a body that is parsed; a label may have some."""


class FeedbackHandler:
    """Checks feedback and stores it, in threads beside the event loop."""

    def __init__(self, store: FeedbackStore, tokens: Tokens, *, max_pixels: int) -> None:
        self._store = store
        self._tokens = tokens
        self._max_pixels = max_pixels
        self._write_slots = anyio.Semaphore(MAX_WRITES)
        self._picture_slots = anyio.Semaphore(1)  # takes as long and as much memory as classifying it
        self._threads = anyio.CapacityLimiter(MAX_WRITES + 1)

    async def submit(self, feedback: FeedbackRequest) -> FeedbackResponse:
        """Store feedback; it is durable when this returns.

        Raises:
            InvalidToken: the prediction id is not ours, or too old.
            WrongFeedback: the label is none of the prediction's, or the picture is another.
            PictureError: the picture cannot be used.
            Busy: too much feedback arrives at the moment.
            ObjectChanged: later feedback on the same prediction is stored.
            StorageUnavailable: the bucket cannot be reached.
        """
        received = datetime.now(UTC)
        payload = self._tokens.read(feedback.prediction_id)
        if feedback.x not in payload.probabilities:
            raise WrongFeedback(
                f'"{feedback.x[:50]}" is none of the labels of that prediction; '
                f"expected one of {', '.join(payload.probabilities)}."
            )
        picture = None
        if feedback.picture is not None:
            make = partial(make_feedback_picture, payload, feedback.picture, self._max_pixels)
            picture = await self._in_thread(self._picture_slots, make)
        record = Feedback(
            id=payload.id,
            time=received,
            answered=payload.time,
            version=payload.version,
            label=feedback.x,
            prediction=payload.prediction,
            confidence=payload.probabilities[payload.prediction],
            probabilities=payload.probabilities,
            picture=None if picture is None else picture_name(payload.time, payload.id, received),
        )
        await self._in_thread(self._write_slots, partial(self._store.store, record, picture))
        return FeedbackResponse(id=record.id, label=record.label, picture=record.picture is not None)

    async def _in_thread(self, slots: anyio.Semaphore, function: Callable[[], Result]) -> Result:
        """Call a function in a thread as soon as there is a free slot; if none is free in time, raise Busy instead."""
        with anyio.move_on_after(WAIT_SECONDS) as wait:
            await slots.acquire()
        if wait.cancelled_caught:
            raise Busy("More feedback arrives than can be stored in time, so this was not. Try again in 2 s.", 2)
        try:
            # abandoned at shutdown: a bucket that hangs must not delay it, nor the last write of the prediction log
            return await anyio.to_thread.run_sync(function, limiter=self._threads, abandon_on_cancel=True)
        finally:
            slots.release()


router = APIRouter()

_RESPONSES: Final[dict[int | str, dict[str, Any]]] = documented(
    *(400, 401, 408, 409, 410, 413, 415, 422, 429, 503),
    meaning={
        400: "The prediction id was not issued by this service, or the body cannot be read.",
        422: "A field is missing or has the wrong type, or the label or the picture is not the prediction's.",
        503: "The bucket is unavailable, so nothing is stored; `Retry-After` says when to try again.",
    },
)

_BODY: Final = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": FeedbackRequest.model_json_schema()}}}
}


@router.post(FEEDBACK_PATH, responses=_RESPONSES, openapi_extra=_BODY, name="post_data")
async def submit_feedback(request: Request) -> FeedbackResponse:
    """Store the true label of a picture that was classified; later feedback on the same prediction replaces it."""
    handler: FeedbackHandler = request.state.feedback
    return await handler.submit(_parse(await request.body()))


def _parse(body: bytes) -> FeedbackRequest:
    """Return the feedback in a request's body.

    A body of three texts has few brackets and commas. One with many is refused before it is parsed: twenty million
    bytes of them would need gigabytes.
    """
    if sum(map(body.count, (b"{", b"[", b","))) > MAX_DELIMITERS:
        raise RequestValidationError([])
    try:
        return FeedbackRequest.model_validate_json(body)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False, include_context=False)
        raise RequestValidationError([{**problem, "loc": ("body", *problem["loc"])} for problem in problems]) from error
