"""The Open Inference Protocol's tensors: out of a request's body, and into an answer's. No model is needed for this.

The protocol is at https://github.com/open-inference/open-inference-protocol, its extension for binary data at
https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md: what the JSON at the
beginning of a body describes follows it as bytes, and the header `Inference-Header-Content-Length` says where.
"""

import base64
import binascii
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
"""Header that says how many bytes at the beginning of a body are JSON."""

_LENGTH: Final = struct.Struct("<I")
"""Before each element of a BYTES tensor: how long it is."""

MAX_JSON: Final = 8_000_000
"""Bytes of JSON in a request: reading them takes 50 ms, in which nobody else is answered."""

Side = Annotated[int, Field(ge=0, lt=2**31)]
Name = Annotated[str, Field(max_length=100)]
Row = Sequence[float] | Sequence[str]
Parameters = dict[str, bool | int | float | str | None]


class _Part(BaseModel):
    # parameters that are unknown to a server are no reason to refuse a request
    model_config = ConfigDict(extra="ignore", frozen=True)


class InputTensor(_Part):
    """A tensor of a request, as its JSON describes it."""

    name: Name
    shape: Annotated[tuple[Side, ...], Field(max_length=16)]
    datatype: Name
    parameters: Parameters = {}
    data: list[Any] | None = None
    """Flat or nested; None where it follows as bytes."""

    @property
    def size(self) -> int:
        """Elements that the shape promises."""
        return math.prod(self.shape)


class WantedOutput(_Part):
    """A tensor that the answer shall have."""

    name: Name
    parameters: Parameters = {}


class InferRequest(_Part):
    """A request, as its JSON describes it."""

    id: Name | None = None
    inputs: Annotated[tuple[InputTensor, ...], Field(min_length=1, max_length=16)]
    outputs: Annotated[tuple[WantedOutput, ...], Field(max_length=16)] = ()
    """None: all of them."""
    parameters: Parameters = {}


def read_body(body: bytes, json_length: str | None, *, raw: str) -> tuple[InferRequest, list[memoryview | None]]:
    """A request, and for each of its inputs the bytes behind the JSON that belong to it; None where JSON has the data.

    Args:
        body: of the request.
        json_length: what its header `HEADER_LENGTH` says; None where it has no such header: then all is JSON. With 0
            there is none, and the body is the one element of a BYTES tensor.
        raw: name of that tensor.

    Raises:
        WrongRequest: the body does not follow the protocol.
    """
    json, binary = _split(body, json_length)
    if json or json_length is None:
        request = _read(json)
        return request, _divide(request, binary)
    data = memoryview(_with_length(body))
    return InferRequest(inputs=(InputTensor(name=raw, shape=(1,), datatype="BYTES"),)), [data]


def _split(body: bytes, json_length: str | None) -> tuple[bytes, memoryview]:
    if json_length is None:
        return body, memoryview(b"")
    if not json_length.isascii() or not json_length.isdigit() or len(json_length) > 20 or int(json_length) > len(body):
        raise WrongRequest(
            f"The header {HEADER_LENGTH} says {json_length[:30]!r}; expected how many of the body's {len(body):,} "
            "bytes are JSON."
        )
    return body[: int(json_length)], memoryview(body)[int(json_length) :]


def _read(json: bytes) -> InferRequest:
    if len(json) > MAX_JSON:
        raise WrongRequest(
            f"The request has {len(json):,} bytes of JSON; up to {MAX_JSON:,} are read. "
            "Send the tensors as binary data, which takes a third of the bytes."
        )
    try:
        return InferRequest.model_validate_json(json)
    except ValidationError as error:
        raise WrongRequest(f"This is no request of the Open Inference Protocol: {explain(error)[:500]}.") from error


def _divide(request: InferRequest, binary: memoryview) -> list[memoryview | None]:
    parts: list[memoryview | None] = []
    start = 0
    for tensor in request.inputs:
        size = tensor.parameters.get("binary_data_size")
        if "shared_memory_region" in tensor.parameters or (size is None) == (tensor.data is None):
            raise WrongRequest(
                f'The input "{tensor.name}" has its data twice or nowhere; expected either "data", or the parameter '
                '"binary_data_size" and as many bytes behind the JSON. There is no shared memory.'
            )
        if size is None:
            parts.append(None)
            continue
        if type(size) is not int or not 0 <= size <= len(binary) - start:
            raise WrongRequest(
                f'The input "{tensor.name}" has a binary_data_size of {str(size)[:20]}, '
                f"but behind the JSON {len(binary) - start:,} bytes are left for it."
            )
        parts.append(binary[start : start + size])
        start += size
    if start < len(binary):
        raise WrongRequest(f"{len(binary) - start:,} bytes at the end of the body belong to no input.")
    return parts


def byte_strings(tensor: InputTensor, binary: memoryview | None) -> list[bytes]:
    """The elements of a BYTES tensor; those in JSON are base64, since JSON holds text and pictures are none.

    Raises:
        WrongRequest: they are not as many as the shape promises, or damaged.
    """
    found = _from_base64(tensor) if binary is None else _from_binary(tensor, binary)
    if len(found) != tensor.size:
        raise _wrong_size(tensor, len(found))
    return found


def _from_binary(tensor: InputTensor, binary: memoryview) -> list[bytes]:
    found, start = [], 0
    while start < len(binary):
        begin = start + _LENGTH.size
        end = begin + _LENGTH.unpack_from(binary, start)[0] if begin <= len(binary) else begin
        if end > len(binary):
            raise WrongRequest(
                f'The data of the input "{tensor.name}" ends within an element. Expected for each element its length '
                "as four bytes, the lowest first, and then the element."
            )
        found.append(bytes(binary[begin:end]))
        start = end
    return found


def _from_base64(tensor: InputTensor) -> list[bytes]:
    texts = np.asarray(tensor.data, object).ravel()  # flat, where they are nested
    try:
        return [base64.b64decode(text, validate=True) for text in texts]
    except (binascii.Error, TypeError, ValueError) as error:
        raise WrongRequest(
            f'The input "{tensor.name}" holds something else than base64. Send a picture as binary data, '
            "or its file's bytes as base64."
        ) from error


def numbers(tensor: InputTensor, binary: memoryview | None) -> NDArray[np.float32]:
    """An FP32 tensor, in the shape that it promises.

    Raises:
        WrongRequest: its data are no numbers, or not as many.
    """
    if binary is None:
        try:
            with np.errstate(over="ignore"):  # what is too large becomes infinite
                found = np.asarray(tensor.data, np.float32).ravel()
        except (ValueError, TypeError, OverflowError) as error:
            why = str(error).rstrip(".")
            raise WrongRequest(f'The data of the input "{tensor.name}" are no tensor of numbers: {why}.') from error
    elif len(binary) % 4:
        raise WrongRequest(f'The input "{tensor.name}" has {len(binary):,} bytes; expected four for each number.')
    else:
        found = np.frombuffer(binary, "<f4")
    if found.size != tensor.size:
        raise _wrong_size(tensor, found.size)
    return found.reshape(tensor.shape)


def _wrong_size(tensor: InputTensor, found: int) -> WrongRequest:
    return WrongRequest(
        f'The input "{tensor.name}" of shape {list(tensor.shape)} must have {tensor.size:,} elements; it has {found:,}.'
    )


class OutputTensor(BaseModel):
    """A tensor of an answer, whose JSON holds its data or says how many bytes of them follow."""

    name: str
    shape: tuple[int, ...]
    datatype: str
    parameters: Parameters | None = None
    data: list[float] | list[str] | None = None


class InferAnswer(BaseModel):
    """An answer, as its JSON describes it."""

    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[OutputTensor]


def output_tensor(name: str, rows: Sequence[Row], *, binary: bool) -> tuple[OutputTensor, bytes]:
    """A tensor with two axes, and the bytes that follow the JSON for it; none unless it is binary.

    Args:
        name: of the tensor.
        rows: one for each picture, of numbers (they become FP32) or of texts (BYTES).
        binary: whether its data follow as bytes.
    """
    flat: list[Any] = [value for row in rows for value in row]
    texts = isinstance(flat[0], str)
    tensor = OutputTensor(name=name, shape=(len(rows), len(rows[0])), datatype="BYTES" if texts else "FP32")
    if not binary:
        return tensor.model_copy(update={"data": flat}), b""
    data = b"".join(_with_length(text.encode()) for text in flat) if texts else np.asarray(flat, "<f4").tobytes()
    return tensor.model_copy(update={"parameters": {"binary_data_size": len(data)}}), data


def _with_length(element: bytes) -> bytes:
    return _LENGTH.pack(len(element)) + element


def join_body(answer: InferAnswer, binaries: Iterable[bytes]) -> tuple[bytes, dict[str, str]]:
    """The body of an answer and the headers that it needs."""
    json, binary = answer.model_dump_json(exclude_none=True).encode(), b"".join(binaries)
    if not binary:
        return json, {"Content-Type": "application/json"}
    return json + binary, {"Content-Type": "application/octet-stream", HEADER_LENGTH: str(len(json))}
