"""The addresses: each translates a request for the rest of the package, and its result into an answer.

Each path has two spellings, with and without the final slash; one of them is in the OpenAPI document.
"""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, File, Request, UploadFile
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse

from animals.errors import NoModel
from animals.records import Prediction
from animals.serving.answers import Health, ModelInfo, Readiness, Welcome
from animals.serving.problems import documented
from animals.serving.tokens import Tokens
from animals.serving.watcher import Served, Watcher

router = APIRouter()


async def _watcher(request: Request) -> Watcher:
    watcher: Watcher = request.state.watcher
    return watcher


async def _served(watcher: Annotated[Watcher, Depends(_watcher)]) -> Served:
    if watcher.served is None:
        raise NoModel(watcher.reason)
    return watcher.served


async def _tokens(request: Request) -> Tokens:
    tokens: Tokens = request.state.tokens
    return tokens


async def _turn(request: Request) -> AsyncIterator[None]:
    """Wait for a free CPU: forty threads that decode at once would be no faster and hold forty pictures."""
    async with request.state.turns:
        yield


Turn = Annotated[None, Depends(_turn, scope="function")]


@router.get("/")
async def welcome(request: Request, watcher: Annotated[Watcher, Depends(_watcher)]) -> Welcome:
    """What this service is, and where to go on."""
    served = watcher.served
    return Welcome(
        service="animals: says what is on a picture",
        model_version=served and served.current.version,
        docs="/docs",
        classify="/classify/",
        example=f'curl -F "file=@cat.jpg" {request.base_url}classify/',
    )


@router.post("/classify", include_in_schema=False)
@router.post("/classify/", responses=documented(400, 413, 415, 422, 503))
def classify(
    file: Annotated[UploadFile, File(description="The picture: JPEG, PNG, WebP, GIF, BMP or TIFF.")],
    served: Annotated[Served, Depends(_served)],
    tokens: Annotated[Tokens, Depends(_tokens)],
    _: Turn,
) -> Prediction:
    """Which label fits the picture, and how sure the model is of each."""
    probabilities = served.classifier.classify(file.file.read())
    prediction = max(probabilities, key=probabilities.__getitem__)
    version = served.current.version
    return Prediction(
        filename=_printable(file.filename),
        prediction=prediction,
        confidence=probabilities[prediction],
        probabilities=probabilities,
        model_version=version,
        prediction_id=tokens.sign(version, prediction, probabilities),
    )


def _printable(name: str | None) -> str:
    # A sender may declare a charset in which half a character decodes; such text cannot be encoded again.
    return (name or "").encode(errors="replace").decode()


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
        metrics=card.metrics,
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


@router.get("/docs/", include_in_schema=False)
@router.get("/docs", include_in_schema=False)
async def docs(request: Request) -> HTMLResponse:
    """A page to try the service out."""
    return get_swagger_ui_html(
        openapi_url=f"{request.scope['root_path']}{request.app.openapi_url}", title=request.app.title
    )
