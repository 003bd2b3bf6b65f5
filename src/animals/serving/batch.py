"""Several pictures in one request, `POST /classify/batch`: fewer round trips for those who have many."""

from typing import Annotated

from fastapi import APIRouter, File, Request, Response, UploadFile

from animals.api import Prediction
from animals.errors import PictureError
from animals.records import Record
from animals.serving.error_responses import BATCH, MAX_PICTURES, documented
from animals.serving.middleware.admission import ComputingRoute
from animals.serving.predict import picture, printable

router = APIRouter(route_class=ComputingRoute, form_limits={"max_files": MAX_PICTURES, "max_fields": 10})


class PictureProblem(Record):
    """Why one picture of several has no prediction."""

    filename: str
    detail: str


@router.post(f"{BATCH}/", include_in_schema=False)
@router.post(
    BATCH,
    responses=documented(400, 401, 408, 413, 422, 429, 503),
    response_model=list[Prediction | PictureProblem],
)
async def classify_batch(
    request: Request,
    files: Annotated[list[UploadFile], File(description=f"Up to {MAX_PICTURES} pictures, each a field of this name.")],
) -> Response:
    """Which label fits each picture, in their order; one that cannot be read has the reason in its place.

    All answers are of one version. Each picture waits for its own turn, so that a batch does not hold up others.
    """
    classifier = request.state.watcher.serving().classifier
    answers: list[Prediction | PictureProblem] = []
    for file in files:
        question = picture(await file.read(), file.filename, classifier)
        try:
            # the first may be refused, like any newcomer; the others come after it, and never fill the queue
            answers.append(await request.state.engine.compute(request, question, accepted=bool(answers)))
        except PictureError as error:
            answers.append(PictureProblem(filename=printable(file.filename), detail=str(error)))
    listed = ",".join(answer.model_dump_json() for answer in answers)
    return Response(f"[{listed}]", media_type="application/json")
