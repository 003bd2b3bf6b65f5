"""A request of the Open Inference Protocol: which pictures it holds, and what it wants to know of them."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

import numpy as np
from fastapi import Request, Response
from numpy.typing import NDArray
from starlette.requests import ClientDisconnect

from animals.api import Prediction
from animals.errors import ClientGone, NotAPicture, PictureError, WrongRequest
from animals.inference import ONNX_INPUT
from animals.serving.classifier import Classifier, Prepared
from animals.serving.error_responses import MAX_PICTURES
from animals.serving.predict import Question, picture
from animals.serving.v2.tensors import (
    HEADER_LENGTH,
    InferAnswer,
    InferRequest,
    InputTensor,
    OutputTensor,
    Row,
    WantedOutput,
    byte_strings,
    join_body,
    numbers,
    output_tensor,
    read_body,
)

PICTURE: Final = "picture"
"""The input that takes files."""

FARTHEST: Final = 1000.0
"""From 0, of a number in the other input; those of pictures are within 3, and a network's sums could overflow."""

OUTPUTS: Final[Mapping[str, tuple[str, Callable[[Prediction], Row]]]] = {
    "label": ("BYTES", lambda answer: [answer.prediction]),
    "confidence": ("FP32", lambda answer: [answer.confidence]),
    "probabilities": ("FP32", lambda answer: list(answer.probabilities.values())),
    "prediction_id": ("BYTES", lambda answer: [answer.prediction_id]),
}
"""Name of each output -> its type, and its row for one picture."""


async def infer(request: Request, classifier: Classifier, *, name: str) -> Response:
    """Answer a request, with one turn of the engine for each picture.

    Args:
        request: whose body follows the protocol.
        classifier: that answers.
        name: of the model.

    Raises:
        WrongRequest: it does not follow the protocol, or one of its pictures cannot be read.
        Busy: too many wait.
        ClientGone: nobody waits for the answer any more.
    """
    asked, data = read_body(await _body(request), request.headers.get(HEADER_LENGTH), raw=PICTURE)
    wanted = _wanted(asked)
    questions = _questions(asked, data, classifier)
    answers: list[Prediction] = []
    for place, question in enumerate(questions, 1):
        try:
            # the first may be refused, like any newcomer; the others come after it, and never fill the queue
            answers.append(await request.state.engine.compute(request, question, accepted=place > 1))
        except PictureError as error:
            raise WrongRequest(f"Picture {place} of {len(questions)}: {error}") from error
    binary = asked.parameters.get("binary_data_output") is True
    tensors = [_output(output, answers, binary=binary) for output in wanted]
    found = InferAnswer(
        model_name=name, model_version=classifier.card.version, id=asked.id, outputs=[tensor for tensor, _ in tensors]
    )
    body, headers = join_body(found, [data for _, data in tensors])
    return Response(body, headers=headers)


async def _body(request: Request) -> bytes:
    try:
        return await request.body()
    except ClientDisconnect as error:
        raise ClientGone("The client went away before it had sent all.") from error


def _wanted(asked: InferRequest) -> Sequence[WantedOutput]:
    """The outputs of the answer: those that are named, or all.

    Raises:
        WrongRequest: one is unknown, named twice, or wanted in a way that is not offered.
    """
    names = [output.name for output in asked.outputs]
    if len(set(names)) < len(names) or not set(names) <= OUTPUTS.keys():
        raise WrongRequest(f"The outputs {names} are not to be had; expected some of {list(OUTPUTS)}, each once.")
    for output in asked.outputs:
        if "shared_memory_region" in output.parameters:
            raise WrongRequest("There is no shared memory. Ask for the outputs in the answer.")
        top = output.parameters.get("classification")
        if top is not None and (type(top) is not int or top < 1 or output.name != "probabilities"):
            raise WrongRequest('"classification" is a parameter of the output "probabilities": how many, at least 1.')
    return asked.outputs or [WantedOutput(name=name) for name in OUTPUTS]


def _questions(asked: InferRequest, data: Sequence[memoryview | None], classifier: Classifier) -> list[Question]:
    """One for each picture.

    Raises:
        WrongRequest: there are none, too many, or they are sent in another way than expected.
    """
    side = classifier.card.input.side
    tensor, part = asked.inputs[0], data[0]
    pictures = tensor.shape[0] if tensor.shape else 0
    given = (tensor.name, tensor.datatype, *tensor.shape[1:])
    if len(asked.inputs) > 1 or given not in (
        (PICTURE, "BYTES"),
        (PICTURE, "BYTES", 1),
        (ONNX_INPUT, "FP32", 3, side, side),
    ):
        raise WrongRequest(
            f'The inputs are {", ".join(map(_described, asked.inputs))}; expected either "{PICTURE}" of type BYTES and '
            f'shape [n, 1], or "{ONNX_INPUT}" of type FP32 and shape [n, 3, {side}, {side}].'
        )
    if not 1 <= pictures <= MAX_PICTURES:
        raise WrongRequest(f"The request has {pictures} pictures; expected 1 to {MAX_PICTURES}.")
    if tensor.name == PICTURE:
        return [picture(file, "", classifier) for file in byte_strings(tensor, part)]
    return [Question(partial(_prepared, pixels), "", classifier) for pixels in numbers(tensor, part)]


def _described(tensor: InputTensor) -> str:
    return f'"{tensor.name}" of type {tensor.datatype} and shape {list(tensor.shape)}'


def _prepared(pixels: NDArray[np.float32], _: Classifier) -> Prepared:
    """A picture of shape (3, side, side) that its sender has prepared.

    Raises:
        NotAPicture: its numbers are far from those of a picture, or none at all.
    """
    pixels = np.array(pixels, np.float32)  # at an address that suits the processor
    if not np.abs(pixels).max() <= FARTHEST:  # nor is NaN
        raise NotAPicture(f"Its numbers are infinite, none, or beyond {FARTHEST:g}; normalized ones are about -3 to 3.")
    height, width = pixels.shape[1:]
    return Prepared(pixels, (width, height))


def _output(output: WantedOutput, answers: Sequence[Prediction], *, binary: bool) -> tuple[OutputTensor, bytes]:
    """An output tensor, and its bytes if it is wanted in binary: by itself, or else as all of them are."""
    _, row = OUTPUTS[output.name]
    top = output.parameters.get("classification")
    rows: list[Row] = [_classification(answer, int(top)) if top else row(answer) for answer in answers]
    return output_tensor(output.name, rows, binary=output.parameters.get("binary_data", binary) is True)


def _classification(answer: Prediction, top: int) -> list[str]:
    """The likeliest labels, as Triton's clients want them: probability, place among the labels, label."""
    ranked = sorted(enumerate(answer.probabilities.items()), key=lambda item: -item[1][1])
    return [f"{probability:f}:{place}:{label}" for place, (label, probability) in ranked[:top]]
