"""Handle a request of the Open Inference Protocol: read its pictures, classify them, write the requested outputs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from fastapi import Request, Response
from starlette.requests import ClientDisconnect

from animals.api import MAX_PICTURES, Prediction
from animals.errors import ClientGone, PictureError, WrongRequest
from animals.inference import ONNX_INPUT
from animals.serving.classifier import Classifier
from animals.serving.predict import PredictRequest
from animals.serving.queue import RequestQueue
from animals.serving.v2.tensors import (
    HEADER_LENGTH,
    PICTURE,
    InferRequest,
    InputTensor,
    RequestedOutput,
    Row,
    join_body,
    make_output,
    read_body,
    read_byte_strings,
    read_numbers,
)

OUTPUTS: Final[Mapping[str, tuple[str, Callable[[Prediction], Row]]]] = {
    "label": ("BYTES", lambda prediction: [prediction.prediction]),
    "confidence": ("FP32", lambda prediction: [prediction.confidence]),
    "probabilities": ("FP32", lambda prediction: list(prediction.probabilities.values())),
    "prediction_id": ("BYTES", lambda prediction: [prediction.prediction_id]),
}
"""Datatype of each output, and its row for one picture."""


async def infer(request: Request, classifier: Classifier, *, name: str) -> Response:
    """Classify the pictures of a request that follows the protocol, each as a job of its own in the queue."""
    parsed, data = read_body(await _body(request), request.headers.get(HEADER_LENGTH))
    outputs = _requested_outputs(parsed)
    pictures = _pictures(parsed, data, classifier)
    predictions = await _predict(request, pictures)
    binary = parsed.parameters.get("binary_data_output") is True
    tensors, binaries = zip(*(_make_output(output, predictions, binary=binary) for output in outputs), strict=True)
    response = {"model_name": name, "model_version": classifier.card.version, "outputs": tensors}
    if parsed.id is not None:
        response["id"] = parsed.id
    body, headers = join_body(response, binaries)
    return Response(body, headers=headers)


async def _body(request: Request) -> bytes:
    try:
        return await request.body()
    except ClientDisconnect as error:
        raise ClientGone("The client disconnected before it had sent the whole body.") from error


async def _predict(request: Request, pictures: Sequence[PredictRequest]) -> list[Prediction]:
    queue: RequestQueue = request.state.queue
    predictions: list[Prediction] = []
    for number, picture in enumerate(pictures, 1):
        try:
            # the first may be rejected like any new request; the others never fill the queue
            predictions.append(await queue.submit(request, picture, admitted=number > 1))
        except PictureError as error:
            raise WrongRequest(f"Picture {number} of {len(pictures)}: {error}") from error
    return predictions


def _requested_outputs(parsed: InferRequest) -> Sequence[RequestedOutput]:
    """Return the outputs that the request names, or all."""
    names = [output.name for output in parsed.outputs]
    if len(set(names)) < len(names) or not set(names) <= OUTPUTS.keys():
        raise WrongRequest(f"The outputs {names} are not available; expected some of {list(OUTPUTS)}, each once.")
    for output in parsed.outputs:
        if "shared_memory_region" in output.parameters:
            raise WrongRequest("Shared memory is not supported. Request the outputs in the response.")
        top = output.parameters.get("classification")
        if top is not None and (type(top) is not int or top < 1 or output.name != "probabilities"):
            raise WrongRequest('"classification" is a parameter of the output "probabilities"; expected at least 1.')
    return parsed.outputs or [RequestedOutput(name=name) for name in OUTPUTS]


def _pictures(parsed: InferRequest, data: Sequence[memoryview | None], classifier: Classifier) -> list[PredictRequest]:
    """Return the pictures of a request; their input must be one that the model takes."""
    side = classifier.card.input.side
    tensor = parsed.inputs[0]
    count = tensor.shape[0] if tensor.shape else 0
    if len(parsed.inputs) > 1 or (tensor.name, tensor.datatype, *tensor.shape[1:]) not in (
        (PICTURE, "BYTES"),
        (PICTURE, "BYTES", 1),
        (ONNX_INPUT, "FP32", 3, side, side),
    ):
        raise WrongRequest(
            f'The inputs are {", ".join(map(_describe, parsed.inputs))}; expected either "{PICTURE}" of type BYTES and '
            f'shape [n, 1], or "{ONNX_INPUT}" of type FP32 and shape [n, 3, {side}, {side}].'
        )
    if not 1 <= count <= MAX_PICTURES:
        raise WrongRequest(f"The request has {count} pictures; expected 1 to {MAX_PICTURES}.")
    read = read_byte_strings if tensor.name == PICTURE else read_numbers
    return [PredictRequest(picture, classifier=classifier) for picture in read(tensor, data[0])]


def _describe(tensor: InputTensor) -> str:
    return f'"{tensor.name}" of type {tensor.datatype} and shape {list(tensor.shape)}'


def _make_output(
    output: RequestedOutput, predictions: Sequence[Prediction], *, binary: bool
) -> tuple[dict[str, Any], bytes]:
    """Return an output tensor and its binary data, in the form that it or else the whole request asks for."""
    _, row = OUTPUTS[output.name]
    top = output.parameters.get("classification")
    rows: list[Row] = [_top_labels(each, int(top)) if top else row(each) for each in predictions]
    return make_output(output.name, rows, binary=output.parameters.get("binary_data", binary) is True)


def _top_labels(prediction: Prediction, top: int) -> list[str]:
    """Return the likeliest labels in Triton's form: probability, index of the label, label."""
    ranked = sorted(enumerate(prediction.probabilities.items()), key=lambda item: -item[1][1])
    return [f"{probability:f}:{index}:{label}" for index, (label, probability) in ranked[:top]]
