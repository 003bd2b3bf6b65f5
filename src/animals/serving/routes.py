"""The addresses: each translates a request for the rest of the package, and its result into an answer.

Each path has two spellings, with and without the final slash; one of them is in the OpenAPI document.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, File, Request, Response, UploadFile
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from animals.records import Prediction
from animals.serving.error_responses import documented
from animals.serving.middleware.admission import ComputingRoute
from animals.serving.model_reloader import Served, Watcher
from animals.serving.predict import picture
from animals.serving.responses import Health, ModelInfo, Readiness, Welcome

router = APIRouter()
computing = APIRouter(route_class=ComputingRoute)


async def _watcher(request: Request) -> Watcher:
    watcher: Watcher = request.state.watcher
    return watcher


async def _served(watcher: Annotated[Watcher, Depends(_watcher)]) -> Served:
    return watcher.serving()


@router.get("/")
async def welcome(request: Request, watcher: Annotated[Watcher, Depends(_watcher)]) -> Welcome:
    """What this service is, and where to go on."""
    served = watcher.served
    return Welcome(
        service="animals: says what is on a picture",
        model_version=served and served.current.version,
        docs="/docs",
        classify="/classify/",
        example=f'curl -F "file=@picture.jpg" {request.base_url}classify/',
    )


@computing.post("/classify", include_in_schema=False)
@computing.post("/classify/", responses=documented(400, 401, 408, 413, 415, 422, 429, 503), response_model=Prediction)
async def classify(
    request: Request, file: Annotated[UploadFile, File(description="The picture: JPEG, PNG, WebP, GIF, BMP or TIFF.")]
) -> Response:
    """Which label fits the picture, and how sure the model is of each."""
    prediction: Prediction = await request.state.engine.compute(request, picture(await file.read(), file.filename))
    return Response(prediction.model_dump_json(), media_type="application/json")  # FastAPI would check it again


@router.get("/model/", include_in_schema=False)
@router.get("/model", responses=documented(503))
async def model(served: Annotated[Served, Depends(_served)]) -> ModelInfo:
    """The version that serves: where it comes from and how good it is."""
    card = served.classifier.card
    return ModelInfo(
        version=card.version,
        promoted=served.current.promoted,
        created=card.created,
        architecture=card.architecture,
        labels=card.labels,
        input=card.input,
        data_title=card.config.get("data", {}).get("title") or None,
        metrics=card.metrics,
        unknown_below=card.rejection and card.rejection.threshold,
    )


@router.get("/healthz/", include_in_schema=False)
@router.get("/healthz")
async def healthz() -> Health:
    """Whether the process is alive."""
    return Health()


@router.get("/readyz/", include_in_schema=False)
@router.get("/readyz", responses=documented(503))
async def readyz(served: Annotated[Served, Depends(_served)]) -> Readiness:
    """Whether a model is loaded and has answered its self-test; if not, why."""
    return Readiness(model_version=served.current.version)


@router.get("/metrics/", include_in_schema=False)
@router.get("/metrics", include_in_schema=False)
def metrics(request: Request) -> Response:
    """Counts for Prometheus; in a thread, since writing them down takes milliseconds."""
    return Response(request.state.metrics.text(), media_type=CONTENT_TYPE_PLAIN_0_0_4)


@router.get("/docs/", include_in_schema=False)
@router.get("/docs", include_in_schema=False)
async def docs(request: Request) -> HTMLResponse:
    """A page to try the service out."""
    return get_swagger_ui_html(
        openapi_url=f"{request.scope['root_path']}{request.app.openapi_url}", title=request.app.title
    )
