"""The routes for single pictures, the model, probes and metrics; other modules have the batch, feedback and /v2.

`middleware/slashes.py` accepts every path with and without a final slash.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, File, Request, Response, UploadFile
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from animals.api import CLASSIFY_PATH, Health, ModelInfo, Prediction, Readiness, ServiceInfo
from animals.serving.error_responses import documented
from animals.serving.middleware.admission import AdmissionRoute
from animals.serving.model_reloader import ServedModel
from animals.serving.predict import PredictRequest
from animals.serving.queue import RequestQueue

router = APIRouter()
predict_router = APIRouter(route_class=AdmissionRoute)


async def served_model(request: Request) -> ServedModel:
    """Return the model that serves, or raise NoModel."""
    model: ServedModel = request.state.reloader.require_model()
    return model


Served = Annotated[ServedModel, Depends(served_model)]


@router.get("/")
async def welcome(request: Request) -> ServiceInfo:
    """Return the name of this service, and where to continue."""
    served: ServedModel | None = request.state.reloader.served
    return ServiceInfo(
        service="animals: says what is on a picture",
        model_version=served and served.current.version,
        docs="/docs",
        classify=CLASSIFY_PATH,
        example=f'curl -F "file=@picture.jpg" {request.base_url}classify/',
    )


@predict_router.post(
    CLASSIFY_PATH, responses=documented(400, 401, 408, 413, 415, 422, 429, 503), response_model=Prediction
)
async def classify(
    request: Request, file: Annotated[UploadFile, File(description="The picture: JPEG, PNG, WebP, GIF, BMP or TIFF.")]
) -> Response:
    """Classify one picture."""
    queue: RequestQueue = request.state.queue
    prediction = await queue.submit(request, PredictRequest(await file.read(), file.filename or ""))
    return Response(prediction.model_dump_json(), media_type="application/json")  # FastAPI would validate it again


@router.get("/model", responses=documented(503))
async def model(served: Served) -> ModelInfo:
    """Return the version that serves: its origin and its accuracy."""
    card = served.classifier.card
    return ModelInfo(
        version=card.version,
        promoted=served.current.promoted,
        created=card.created,
        architecture=card.architecture,
        labels=card.labels,
        input=card.input,
        data_title=card.data_title,
        metrics=card.metrics,
        unknown_below=card.rejection.threshold,
    )


@router.get("/healthz")
async def healthz() -> Health:
    """Return that the process is alive."""
    return Health()


@router.get("/readyz", responses=documented(503))
async def readyz(served: Served) -> Readiness:
    """Return that a model is loaded and has passed its self-test, or the reason why not."""
    return Readiness(model_version=served.current.version)


@router.get("/metrics", include_in_schema=False)
def metrics(request: Request) -> Response:
    """Return metrics for Prometheus; in a thread, since writing them takes milliseconds."""
    return Response(request.state.metrics.text(), media_type=CONTENT_TYPE_PLAIN_0_0_4)


@router.get("/docs", include_in_schema=False)
async def docs(request: Request) -> HTMLResponse:
    """Return a page to try the service out."""
    return get_swagger_ui_html(
        openapi_url=f"{request.scope['root_path']}{request.app.openapi_url}", title=request.app.title
    )
