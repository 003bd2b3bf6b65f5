"""Tensors of the Open Inference Protocol: read from a request's body, and written into a response's.

The protocol is at https://github.com/open-inference/open-inference-protocol, its extension for binary data at
https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md: the bytes of the
tensors follow the JSON that describes them, and the header `Inference-Header-Content-Length` gives the JSON's length.
"""

import base64
import binascii
import json
import math
import struct
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from animals.errors import WrongRequest
from animals.records import explain

HEADER_LENGTH: Final = "Inference-Header-Content-Length"
"""Header with the number of bytes at the beginning of a body that are JSON."""

PICTURE: Final = "picture"
"""Name of the input that takes files."""

_LENGTH: Final = struct.Struct("<I")
"""Length of an element of a BYTES tensor, which comes before the element."""

MAX_JSON: Final = 8_000_000
"""Bytes of JSON in a request: parsing them takes 50 ms, in which no other request proceeds."""

Side = Annotated[int, Field(ge=0, lt=2**31)]
Name = Annotated[str, Field(max_length=100)]
Row = Sequence[float] | Sequence[str]
Parameters = dict[str, bool | int | float | str | None]


class _RequestPart(BaseModel):
    # the protocol lets servers ignore parameters that they do not know
    model_config = ConfigDict(extra="ignore", frozen=True)


class InputTensor(_RequestPart):
    """An input tensor, as the JSON of a request describes it."""

    name: Name
    shape: Annotated[tuple[Side, ...], Field(max_length=16)]
    datatype: Name
    parameters: Parameters = {}
    data: list[Any] | None = None
    """Flat or nested; None if it follows as bytes."""


class RequestedOutput(_RequestPart):
    """An output tensor that the response should have."""

    name: Name
    parameters: Parameters = {}


class InferRequest(_RequestPart):
    """The JSON of a request."""

    id: Name | None = None
    inputs: Annotated[tuple[InputTensor, ...], Field(min_length=1, max_length=16)]
    outputs: Annotated[tuple[RequestedOutput, ...], Field(max_length=16)] = ()
    """Empty for all of them."""
    parameters: Parameters = {}


def read_body(body: bytes, json_length: str | None) -> tuple[InferRequest, list[memoryview | None]]:
    """Return a request, and the binary data of each of its inputs; None for an input whose data are in the JSON.

    The JSON's length is the header `HEADER_LENGTH`; without one, all of the body is JSON. With 0 there is no JSON, and
    the body is one picture.
    """
    if json_length is None:
        length = len(body)
    elif json_length.isascii() and json_length.isdigit() and len(json_length) <= 20 and int(json_length) <= len(body):
        length = int(json_length)
    else:
        raise WrongRequest(
            f"The header {HEADER_LENGTH} is {json_length[:30]!r}; expected the number of the body's {len(body):,} "
            "bytes that are JSON."
        )
    if length == 0 and json_length is not None:
        tensor = InputTensor(name=PICTURE, shape=(1,), datatype="BYTES")
        return InferRequest(inputs=(tensor,)), [memoryview(_with_length(body))]
    request = _parse(body[:length])
    return request, _split(request, memoryview(body)[length:])


def _parse(text: bytes) -> InferRequest:
    if len(text) > MAX_JSON:
        raise WrongRequest(
            f"The request has {len(text):,} bytes of JSON; at most {MAX_JSON:,} are read. "
            "Send the tensors as binary data, which needs a third of the bytes."
        )
    try:
        return InferRequest.model_validate_json(text)
    except ValidationError as error:
        raise WrongRequest(f"The JSON does not follow the Open Inference Protocol: {explain(error)[:500]}.") from error


def _split(request: InferRequest, binary: memoryview) -> list[memoryview | None]:
    parts: list[memoryview | None] = []
    for tensor in request.inputs:
        size = tensor.parameters.get("binary_data_size")
        if "shared_memory_region" in tensor.parameters or (size is None) == (tensor.data is None):
            raise WrongRequest(
                f'The input "{tensor.name}" has its data twice or not at all; expected either "data", or the parameter '
                '"binary_data_size" and that number of bytes after the JSON. Shared memory is not supported.'
            )
        if size is None:
            parts.append(None)
            continue
        if type(size) is not int or not 0 <= size <= len(binary):
            raise WrongRequest(
                f'The input "{tensor.name}" has a binary_data_size of {str(size)[:20]}, '
                f"but {len(binary):,} bytes are left for it after the JSON."
            )
        parts.append(binary[:size])
        binary = binary[size:]
    if binary:
        raise WrongRequest(f"{len(binary):,} bytes at the end of the body belong to no input.")
    return parts


def read_byte_strings(tensor: InputTensor, binary: memoryview | None) -> list[bytes]:
    """Return the elements of a BYTES tensor; in JSON they are base64, since JSON has only text."""
    elements = _decode_base64(tensor) if binary is None else _split_elements(tensor, binary)
    _check_size(tensor, len(elements))
    return elements


def _split_elements(tensor: InputTensor, binary: memoryview) -> list[bytes]:
    elements, start = [], 0
    while start < len(binary):
        begin = start + _LENGTH.size
        end = begin + _LENGTH.unpack_from(binary, start)[0] if begin <= len(binary) else begin
        if end > len(binary):
            raise WrongRequest(
                f'The data of the input "{tensor.name}" ends within an element. Expected each element after its length '
                "as four bytes, the lowest first."
            )
        elements.append(bytes(binary[begin:end]))
        start = end
    return elements


def _decode_base64(tensor: InputTensor) -> list[bytes]:
    texts = np.asarray(tensor.data, object).ravel()  # they may be nested
    try:
        return [base64.b64decode(text, validate=True) for text in texts]
    except (binascii.Error, TypeError, ValueError) as error:
        raise WrongRequest(
            f'The input "{tensor.name}" is not base64. Send a picture as binary data, or its file in base64.'
        ) from error


def read_numbers(tensor: InputTensor, binary: memoryview | None) -> NDArray[np.float32]:
    """Return an FP32 tensor in its shape."""
    if binary is None:
        try:
            with np.errstate(over="ignore"):  # too large numbers become infinite
                values = np.asarray(tensor.data, np.float32).ravel()
        except (ValueError, TypeError, OverflowError) as error:
            reason = str(error).rstrip(".")
            raise WrongRequest(f'The data of the input "{tensor.name}" are not numbers: {reason}.') from error
    elif len(binary) % 4:
        raise WrongRequest(f'The input "{tensor.name}" has {len(binary):,} bytes; expected four for each number.')
    else:
        values = np.frombuffer(binary, "<f4")
    _check_size(tensor, values.size)
    return values.reshape(tensor.shape)


def _check_size(tensor: InputTensor, size: int) -> None:
    expected = math.prod(tensor.shape)
    if size != expected:
        raise WrongRequest(
            f'The input "{tensor.name}" of shape {list(tensor.shape)} must have {expected:,} elements; it has {size:,}.'
        )


def make_output(name: str, rows: Sequence[Row], *, binary: bool) -> tuple[dict[str, Any], bytes]:
    """Return a tensor with two axes, and its binary data; empty unless its data follow as bytes.

    There is a row for each picture, of numbers (FP32) or texts (BYTES).
    """
    flat: list[Any] = [value for row in rows for value in row]
    is_text = isinstance(flat[0], str)
    tensor = {"name": name, "shape": [len(rows), len(rows[0])], "datatype": "BYTES" if is_text else "FP32"}
    if not binary:
        return {**tensor, "data": flat}, b""
    data = b"".join(_with_length(text.encode()) for text in flat) if is_text else np.asarray(flat, "<f4").tobytes()
    return {**tensor, "parameters": {"binary_data_size": len(data)}}, data


def _with_length(element: bytes) -> bytes:
    return _LENGTH.pack(len(element)) + element


def join_body(response: dict[str, Any], binaries: Iterable[bytes]) -> tuple[bytes, dict[str, str]]:
    """Return the body of a response, and the headers that it needs."""
    text, binary = json.dumps(response, separators=(",", ":")).encode(), b"".join(binaries)
    if not binary:
        return text, {"Content-Type": "application/json"}
    return text + binary, {"Content-Type": "application/octet-stream", HEADER_LENGTH: str(len(text))}
