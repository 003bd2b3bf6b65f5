"""Several pictures in one request, `POST /classify/batch`: fewer round trips for clients that have many."""

from typing import Annotated

from fastapi import APIRouter, File, Request, Response, UploadFile

from animals.api import BATCH_PATH, MAX_PICTURES, PictureProblem, Prediction
from animals.errors import PictureError
from animals.serving.error_responses import documented
from animals.serving.middleware.admission import AdmissionRoute
from animals.serving.predict import PredictRequest, printable
from animals.serving.queue import RequestQueue

router = APIRouter(route_class=AdmissionRoute, form_limits={"max_files": MAX_PICTURES, "max_fields": 10})


@router.post(
    BATCH_PATH,
    responses=documented(400, 401, 408, 413, 422, 429, 503),
    response_model=list[Prediction | PictureProblem],
)
async def classify_batch(
    request: Request,
    files: Annotated[list[UploadFile], File(description=f"Up to {MAX_PICTURES} pictures, each a field of this name.")],
) -> Response:
    """Classify several pictures; one that cannot be read has the reason in its place.

    All predictions are of one version. The pictures are queued one after the other, so that a batch does not delay
    other clients.
    """
    queue: RequestQueue = request.state.queue
    classifier = request.state.reloader.require_model().classifier
    results: list[Prediction | PictureProblem] = []
    for file in files:
        picture = PredictRequest(await file.read(), file.filename or "", classifier)
        try:
            # the first may be rejected like any new request; the others never fill the queue
            results.append(await queue.submit(request, picture, admitted=bool(results)))
        except PictureError as error:
            results.append(PictureProblem(filename=printable(picture.filename), detail=str(error)))
    joined = ",".join(result.model_dump_json() for result in results)
    return Response(f"[{joined}]", media_type="application/json")
