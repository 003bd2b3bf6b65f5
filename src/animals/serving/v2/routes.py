"""The Open Inference Protocol, version 2, below /v2: clients of KServe and Triton work with this service unchanged.

A picture is sent as its file, an element of the BYTES tensor `picture`; or, decoded and normalized as `GET /model`
says, in the FP32 tensor `input`. `infer.py` handles requests, `tensors.py` the bytes of their tensors.
"""

from http import HTTPStatus
from importlib.metadata import version as version_of
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response
from starlette.exceptions import HTTPException

from animals.api import V2_PATH
from animals.inference import ONNX_INPUT
from animals.records import Record
from animals.serving.error_responses import MEANING
from animals.serving.middleware.admission import AdmissionRoute
from animals.serving.model_reloader import ServedModel
from animals.serving.routes import Served, served_model
from animals.serving.v2.infer import OUTPUTS, infer
from animals.serving.v2.tensors import PICTURE

NAME: Final = "animals"


class ServerMetadata(Record):
    """The server, and the extensions of the protocol that it supports."""

    name: str
    version: str
    extensions: tuple[str, ...]


class TensorMetadata(Record):
    """An input or output of the model; -1 is the number of pictures."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    parameters: dict[str, tuple[str, ...]] | None = None
    """Of the probabilities: the labels, in their order."""


class ModelMetadata(Record):
    """The inputs, of which a request has one, and the outputs."""

    name: str
    versions: tuple[str, ...]
    platform: str
    inputs: tuple[TensorMetadata, ...]
    outputs: tuple[TensorMetadata, ...]


class Live(Record):
    """The process is alive."""

    live: bool = True


class ServerReady(Record):
    """A model is loaded and has passed its self-test."""

    ready: bool = True


class ModelReady(ServerReady):
    """This model is ready."""

    name: str


class Refusal(Record):
    """The reason why a request has no other response, in the protocol's form."""

    error: str


_MODEL: Final = "/models/{model}"
_VERSION: Final = f"{_MODEL}/versions/{{version}}"

_OPTIONS: Final[dict[str, Any]] = {
    "prefix": V2_PATH,
    "tags": ["Open Inference Protocol"],
    "responses": {
        "4XX": {"model": Refusal, "description": "The request is refused."},
        503: {"model": Refusal, "description": MEANING[503]},
    },
}
router = APIRouter(**_OPTIONS)
predict_router = APIRouter(**_OPTIONS, route_class=AdmissionRoute)


async def _named_model(request: Request, model: str, served: Served) -> ServedModel:
    """Return the model that serves; 404 if the path names another model or version."""
    version, serving = request.path_params.get("version"), served.classifier.card.version
    if model != NAME:
        raise HTTPException(HTTPStatus.NOT_FOUND, f'There is no model "{model}" here; expected "{NAME}".')
    if version not in (None, serving):
        raise HTTPException(HTTPStatus.NOT_FOUND, f'Version "{version}" does not serve; "{serving}" does.')
    return served


NamedModel = Annotated[ServedModel, Depends(_named_model)]


@router.get("")
async def server() -> ServerMetadata:
    """Return the name of this server, and the extensions of the protocol that it supports."""
    return ServerMetadata(name=NAME, version=version_of("animals"), extensions=("binary_tensor_data", "classification"))


@router.get("/health/live")
async def live() -> Live:
    """Return that the process is alive."""
    return Live()


@router.get("/health/ready", dependencies=[Depends(served_model)])
async def ready() -> ServerReady:
    """Return that a model is loaded and has passed its self-test, or the reason why not."""
    return ServerReady()


@router.get(f"{_VERSION}/ready", include_in_schema=False, dependencies=[Depends(_named_model)])
@router.get(f"{_MODEL}/ready", dependencies=[Depends(_named_model)])
async def model_ready() -> ModelReady:
    """Return that the named model serves, or the reason why not."""
    return ModelReady(name=NAME)


@router.get(_VERSION, include_in_schema=False, response_model_exclude_none=True)
@router.get(_MODEL, response_model_exclude_none=True)
async def model_metadata(served: NamedModel) -> ModelMetadata:
    """Return the inputs and outputs of the model."""
    card = served.classifier.card
    side, labels = card.input.side, {"labels": card.labels}
    outputs = [
        TensorMetadata(name=name, datatype=datatype, shape=(-1, len(card.labels)), parameters=labels)
        if name == "probabilities"
        else TensorMetadata(name=name, datatype=datatype, shape=(-1, 1))
        for name, (datatype, _) in OUTPUTS.items()
    ]
    return ModelMetadata(
        name=NAME,
        versions=(card.version,),
        platform="onnxruntime_onnx",
        inputs=(
            TensorMetadata(name=PICTURE, datatype="BYTES", shape=(-1, 1)),
            TensorMetadata(name=ONNX_INPUT, datatype="FP32", shape=(-1, 3, side, side)),
        ),
        outputs=tuple(outputs),
    )


_BODY: Final = {
    "requestBody": {
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        }
    }
}


@predict_router.post(f"{_VERSION}/infer", include_in_schema=False)
@predict_router.post(f"{_MODEL}/infer", openapi_extra=_BODY)
async def model_infer(request: Request, served: NamedModel) -> Response:
    """Classify pictures; the body is as the protocol says."""
    if request.headers.get("content-encoding", "identity") != "identity":
        detail = "Compressed requests are not supported. Send the body uncompressed."
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail)
    return await infer(request, served.classifier, name=NAME)
