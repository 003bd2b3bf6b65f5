import base64
import json
import struct
from typing import Any

import numpy as np
import pytest

from animals.errors import WrongRequest
from animals.serving.v2.tensors import (
    MAX_JSON,
    InputTensor,
    join_body,
    make_output,
    read_body,
    read_byte_strings,
    read_numbers,
)


def tensor(**changes: Any) -> dict[str, Any]:
    """The JSON of a tensor whose four bytes follow."""
    return {
        "name": "x",
        "shape": [1],
        "datatype": "FP32",
        "parameters": {"binary_data_size": 4},
        **changes,
    }


def body(*tensors: dict[str, Any], binary: bytes = b"", **fields: Any) -> tuple[bytes, str]:
    text = json.dumps({"inputs": tensors, **fields}).encode()
    return text + binary, str(len(text))


def refusal(content: bytes, length: str | None = None) -> str:
    with pytest.raises(WrongRequest) as caught:
        read_body(content, length)
    return str(caught.value)


def floats(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


def strings(*values: bytes) -> bytes:
    return b"".join(struct.pack("<I", len(value)) + value for value in values)


def test_each_input_has_its_own_bytes() -> None:
    first, second = tensor(name="a"), tensor(name="b", parameters={"binary_data_size": 8})
    content, length = body(first, tensor(name="c", parameters={}, data=[1]), second, binary=b"aaaabbbbbbbb", id="7")
    request, parts = read_body(content, length)
    assert request.id == "7"
    assert [each.name for each in request.inputs] == ["a", "c", "b"]
    assert [part if part is None else bytes(part) for part in parts] == [b"aaaa", None, b"bbbbbbbb"]


def test_without_the_header_all_of_a_body_is_json() -> None:
    content, _ = body(tensor(parameters={}, data=[1.5]))
    request, parts = read_body(content, None)
    assert parts == [None]
    assert read_numbers(request.inputs[0], None).tolist() == [1.5]


def test_a_body_without_json_is_one_picture() -> None:
    request, (part,) = read_body(b"a picture", "0")
    assert request.inputs[0].name == "picture"
    assert read_byte_strings(request.inputs[0], part) == [b"a picture"]


def test_fields_beyond_the_protocol_are_ignored() -> None:
    parameters = {"binary_data_size": 4, "content_type": "x"}
    content, length = body(tensor(more=1, parameters=parameters), binary=b"1234", my=2)
    assert read_body(content, length)[0].inputs[0].shape == (1,)


@pytest.mark.parametrize("length", ["many", "-1", "1e3", "٣", "9" * 5000, "100000"])
def test_an_impossible_length_is_refused(length: str) -> None:
    assert "Inference-Header-Content-Length is" in refusal(body(tensor(), binary=b"1234")[0], length)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "Invalid JSON"),
        (b"\xff\xd8", "Invalid JSON"),
        (b"[" * 100_000, "Invalid JSON"),
        (b"[]", "does not follow the Open Inference Protocol"),
        (b'{"inputs": []}', "inputs"),
        (b'{"inputs": [{"name": "x"}]}', "inputs.0.shape"),
        (body(tensor(shape=[-1]))[0], "inputs.0.shape.0"),
        (body(tensor(shape=[10**40]))[0], "inputs.0.shape.0"),
        (body(tensor(parameters={"a": {}}))[0], "inputs.0.parameters.a"),
        (body(*[tensor()] * 17)[0], "at most 16"),
        (body(tensor(), outputs=[{"name": "x"}] * 17)[0], "at most 16"),
        (b" " * (MAX_JSON + 1), "Send the tensors as binary data"),
    ],
)
def test_json_that_is_no_request_is_refused(content: bytes, message: str) -> None:
    assert message in refusal(content)[:700]


@pytest.mark.parametrize(
    ("given", "binary", "message"),
    [
        (tensor(), b"123", "has a binary_data_size of 4, but 3 bytes are left"),
        (tensor(), b"12345", "1 bytes at the end of the body belong to no input"),
        (tensor(parameters={"binary_data_size": -4}), b"", "has a binary_data_size of -4"),
        (tensor(parameters={"binary_data_size": True}), b"1", "has a binary_data_size of True"),
        (tensor(parameters={"binary_data_size": 4.5}), b"1234", "has a binary_data_size of 4.5"),
        (tensor(parameters={}), b"", "twice or not at all"),
        (tensor(data=[1]), b"1234", "twice or not at all"),
        (tensor(parameters={"shared_memory_region": "r"}, data=[1]), b"", "Shared memory is not supported"),
    ],
)
def test_binary_data_that_do_not_fit_the_json_are_refused(given: dict[str, Any], binary: bytes, message: str) -> None:
    assert message in refusal(*body(given, binary=binary))


def declared(shape: tuple[int, ...], data: list[Any] | None = None) -> InputTensor:
    return InputTensor(name="x", shape=shape, datatype="", data=data)


def test_the_elements_of_a_bytes_tensor_are_read() -> None:
    elements = [b"a", b"", bytes(range(256))]
    assert read_byte_strings(declared((3, 1)), memoryview(strings(*elements))) == elements


@pytest.mark.parametrize("nested", [False, True])
def test_the_elements_of_a_bytes_tensor_in_json_are_base64(nested: bool) -> None:
    texts = [base64.b64encode(element).decode() for element in (b"\xff\xd8", b"b")]
    data = [[text] for text in texts] if nested else texts
    assert read_byte_strings(declared((2, 1), data), None) == [b"\xff\xd8", b"b"]


@pytest.mark.parametrize("data", [["%"], ["ü"], [1], [None], [["YQ=="], {}], [["YQ=="], ["YQ==", "YQ=="]]])
def test_data_that_are_not_base64_are_refused(data: list[Any]) -> None:
    with pytest.raises(WrongRequest, match="base64"):
        read_byte_strings(declared((1,), data), None)


@pytest.mark.parametrize("binary", [b"\x01\x00\x00\x00", b"\x01\x00", strings(b"ab")[:-1], b"\xff" * 6])
def test_a_bytes_tensor_that_ends_within_an_element_is_refused(binary: bytes) -> None:
    with pytest.raises(WrongRequest, match="ends within an element"):
        read_byte_strings(declared((1,)), memoryview(binary))


@pytest.mark.parametrize("shape", [(2,), (), (2**30, 2**30)])
def test_another_number_of_elements_than_that_of_the_shape_is_refused(shape: tuple[int, ...]) -> None:
    for read in (
        lambda: read_byte_strings(declared(shape), memoryview(strings(b"a", b"b", b"c"))),
        lambda: read_numbers(declared(shape), memoryview(floats(1, 2, 3))),
        lambda: read_numbers(declared(shape, [1, 2, 3]), None),
    ):
        with pytest.raises(WrongRequest, match="it has 3"):
            read()


def test_numbers_are_read_in_their_shape() -> None:
    expected = [[1.5, 2.0], [-3.0, 0.0]]
    assert read_numbers(declared((2, 2)), memoryview(floats(1.5, 2, -3, 0))).tolist() == expected
    assert read_numbers(declared((2, 2), expected), None).tolist() == expected
    assert read_numbers(declared((2, 2), [1.5, 2, -3, 0]), None).dtype == np.float32
    assert read_numbers(declared((1,), [1e300]), None).tolist() == [np.inf]


@pytest.mark.parametrize(
    ("data", "binary", "message"),
    [
        (["a"], None, "are not numbers"),
        ([[1], [1, 2]], None, "are not numbers"),
        ([{}], None, "are not numbers"),
        ([10**400], None, "are not numbers"),
        (None, b"123", "four for each number"),
    ],
)
def test_data_that_are_not_numbers_are_refused(data: list[Any] | None, binary: bytes | None, message: str) -> None:
    with pytest.raises(WrongRequest, match=message):
        read_numbers(declared((1,), data), memoryview(binary) if binary else None)


def test_a_response_in_json_contains_its_data() -> None:
    output, data = make_output("p", [[0.25, 0.75]], binary=False)
    content, headers = join_body({"model_name": "m", "outputs": [output]}, [data])
    assert headers == {"Content-Type": "application/json"}
    assert json.loads(content) == {
        "model_name": "m",
        "outputs": [{"name": "p", "shape": [1, 2], "datatype": "FP32", "data": [0.25, 0.75]}],
    }


def test_a_binary_response_gives_the_size_of_its_data() -> None:
    outputs = [make_output("p", [[0.25], [0.75]], binary=True), make_output("l", [["ü"], ["b"]], binary=True)]
    content, headers = join_body(
        {"id": "7", "outputs": [output for output, _ in outputs]}, [data for _, data in outputs]
    )
    length = int(headers["Inference-Header-Content-Length"])
    parsed = json.loads(content[:length])
    assert parsed["id"] == "7"
    assert [output["parameters"]["binary_data_size"] for output in parsed["outputs"]] == [8, 11]
    assert not any("data" in output for output in parsed["outputs"])
    assert content[length:] == floats(0.25, 0.75) + strings("ü".encode(), b"b")
