"""The Open Inference Protocol, version 2, below /v2: clients of KServe and Triton ask this service as they ask those.

A picture is sent as its file, an element of the BYTES tensor `picture`; or, decoded and normalized as `GET /model`
says, in the FP32 tensor `input`. What a request asks is in `inference.py`, what its bytes mean in `tensors.py`.
"""

from collections.abc import Callable
from http import HTTPStatus
from importlib.metadata import version as version_of
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response
from starlette.exceptions import HTTPException

from animals.inference import ONNX_INPUT
from animals.records import Card, Record
from animals.serving.error_responses import MEANING, PROTOCOL
from animals.serving.middleware.admission import ComputingRoute
from animals.serving.model_reloader import Served
from animals.serving.v2.infer import OUTPUTS, PICTURE, infer

NAME: Final = "animals"
"""Of the one model."""

Handler = Callable[..., Any]


class ServerMetadata(Record):
    """Who answers, and what of the protocol it speaks."""

    name: str
    version: str
    extensions: tuple[str, ...]


class TensorMetadata(Record):
    """A tensor that the model takes or gives; -1 stands for the number of pictures."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    parameters: dict[str, tuple[str, ...]] | None = None
    """Of the probabilities: the labels, in their order."""


class ModelMetadata(Record):
    """What can be asked; of the inputs one is sent."""

    name: str
    versions: tuple[str, ...]
    platform: str
    inputs: tuple[TensorMetadata, ...]
    outputs: tuple[TensorMetadata, ...]


class Live(Record):
    """The process is alive."""

    live: bool = True


class ServerReady(Record):
    """A model is loaded and has answered its self-test."""

    ready: bool = True


class ModelReady(ServerReady):
    """The same of this model."""

    name: str


class Refusal(Record):
    """An answer that is not the one hoped for, in the protocol's form."""

    error: str


router = APIRouter(prefix=PROTOCOL, tags=["Open Inference Protocol"])
computing = APIRouter(prefix=PROTOCOL, tags=["Open Inference Protocol"], route_class=ComputingRoute)


_REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    "4XX": {"model": Refusal, "description": "The request is refused."},
    503: {"model": Refusal, "description": MEANING[503]},
}


def _routed(routes: APIRouter, method: str, path: str, **options: Any) -> Callable[[Handler], Handler]:
    """Add a path in all its spellings: with and without the final slash, and for a model also with its version."""
    versioned = [path.replace("{model}", "{model}/versions/{version}")] if "{model}" in path else []
    spellings = [path, f"{path}/", *versioned, *(f"{other}/" for other in versioned)]

    def add(handler: Handler) -> Handler:
        for spelling in spellings:
            shown = spelling == path
            routes.add_api_route(
                spelling, handler, methods=[method], responses=_REFUSALS, include_in_schema=shown, **options
            )
        return handler

    return add


async def _served(request: Request) -> Served:
    served: Served = request.state.watcher.serving()
    return served


async def _model(request: Request, model: str, served: Annotated[Served, Depends(_served)]) -> Served:
    """What serves, if that is what the path names."""
    version = request.path_params.get("version")
    if model != NAME:
        raise HTTPException(HTTPStatus.NOT_FOUND, f'There is no model "{model}" here; expected "{NAME}".')
    if version not in (None, served.classifier.card.version):
        serving = served.classifier.card.version
        raise HTTPException(HTTPStatus.NOT_FOUND, f'Version "{version}" does not serve; "{serving}" does.')
    return served


Model = Annotated[Served, Depends(_model)]


@_routed(router, "GET", "")
async def server() -> ServerMetadata:
    """Who answers, and what of the protocol it speaks."""
    return ServerMetadata(name=NAME, version=version_of("animals"), extensions=("binary_tensor_data", "classification"))


@_routed(router, "GET", "/health/live")
async def live() -> Live:
    """Whether the process is alive."""
    return Live()


@_routed(router, "GET", "/health/ready", dependencies=[Depends(_served)])
async def ready() -> ServerReady:
    """Whether a model is loaded and has answered its self-test; if not, why."""
    return ServerReady()


@_routed(router, "GET", "/models/{model}/ready", dependencies=[Depends(_model)])
async def model_ready() -> ModelReady:
    """The same of a model."""
    return ModelReady(name=NAME)


@_routed(router, "GET", "/models/{model}", response_model_exclude_none=True)
async def model_metadata(served: Model) -> ModelMetadata:
    """What can be sent to the model, and what it answers."""
    card = served.classifier.card
    return ModelMetadata(
        name=NAME, versions=(card.version,), platform="onnxruntime_onnx", inputs=_inputs(card), outputs=_outputs(card)
    )


def _inputs(card: Card) -> tuple[TensorMetadata, ...]:
    side = card.input.side
    return (
        TensorMetadata(name=PICTURE, datatype="BYTES", shape=(-1, 1)),
        TensorMetadata(name=ONNX_INPUT, datatype="FP32", shape=(-1, 3, side, side)),
    )


def _outputs(card: Card) -> tuple[TensorMetadata, ...]:
    return tuple(
        TensorMetadata(name=name, datatype=datatype, shape=(-1, len(card.labels)), parameters={"labels": card.labels})
        if name == "probabilities"
        else TensorMetadata(name=name, datatype=datatype, shape=(-1, 1))
        for name, (datatype, _) in OUTPUTS.items()
    )


_BODY: Final = {
    "content": {
        "application/json": {"schema": {"type": "object"}},
        "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
    }
}


@_routed(
    computing,
    "POST",
    "/models/{model}/infer",
    openapi_extra={"requestBody": _BODY},
)
async def model_infer(request: Request, served: Model) -> Response:
    """Which label fits each picture, and how sure the model is; the body is as the protocol says."""
    if request.headers.get("content-encoding", "identity") != "identity":
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Compressed requests are not read. Send it as it is.")
    return await infer(request, served.classifier, name=NAME)
