import base64
import json
import struct
from typing import Any

import numpy as np
import pytest

from animals.errors import WrongRequest
from animals.serving.v2.tensors import (
    MAX_JSON,
    InferAnswer,
    InputTensor,
    byte_strings,
    join_body,
    numbers,
    output_tensor,
    read_body,
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


def body(*tensors: dict[str, Any], behind: bytes = b"", **others: Any) -> tuple[bytes, str]:
    """A request's body and the length of its JSON."""
    text = json.dumps({"inputs": tensors, **others}).encode()
    return text + behind, str(len(text))


def refusal(content: bytes, length: str | None = None) -> str:
    with pytest.raises(WrongRequest) as caught:
        read_body(content, length, raw="raw")
    return str(caught.value)


def floats(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


def strings(*values: bytes) -> bytes:
    return b"".join(struct.pack("<I", len(value)) + value for value in values)


def test_each_input_gets_the_bytes_that_belong_to_it() -> None:
    first, second = tensor(name="a"), tensor(name="b", parameters={"binary_data_size": 8})
    content, length = body(first, tensor(name="c", parameters={}, data=[1]), second, behind=b"aaaabbbbbbbb", id="7")
    request, parts = read_body(content, length, raw="raw")
    assert request.id == "7"
    assert [given.name for given in request.inputs] == ["a", "c", "b"]
    assert [part if part is None else bytes(part) for part in parts] == [b"aaaa", None, b"bbbbbbbb"]


def test_without_the_header_all_of_a_body_is_json() -> None:
    content, _ = body(tensor(parameters={}, data=[1.5]))
    request, parts = read_body(content, None, raw="raw")
    assert parts == [None]
    assert numbers(request.inputs[0], None).tolist() == [1.5]


def test_a_body_without_json_is_the_one_element_of_a_tensor() -> None:
    request, (part,) = read_body(b"a picture", "0", raw="raw")
    assert request.inputs[0].name == "raw"
    assert byte_strings(request.inputs[0], part) == [b"a picture"]


def test_what_a_request_says_beyond_the_protocol_is_passed_over() -> None:
    content, length = body(
        tensor(more=1, parameters={"binary_data_size": 4, "content_type": "x"}), behind=b"1234", my=2
    )
    assert read_body(content, length, raw="raw")[0].inputs[0].size == 1


@pytest.mark.parametrize("length", ["many", "-1", "1e3", "٣", "9" * 5000, "100000"])
def test_a_length_that_cannot_be_is_refused(length: str) -> None:
    assert "Inference-Header-Content-Length says" in refusal(body(tensor(), behind=b"1234")[0], length)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "Invalid JSON"),
        (b"\xff\xd8", "Invalid JSON"),
        (b"[" * 100_000, "Invalid JSON"),
        (b"[]", "no request of the Open Inference Protocol"),
        (b'{"inputs": []}', "inputs"),
        (b'{"inputs": [{"name": "x"}]}', "inputs.0.shape"),
        (body(tensor(shape=[-1]))[0], "inputs.0.shape.0"),
        (body(tensor(shape=[10**40]))[0], "inputs.0.shape.0"),
        (body(tensor(parameters={"a": {}}))[0], "inputs.0.parameters.a"),
        (body(*[tensor()] * 17)[0], "at most 16"),
        (body(tensor(), outputs=[{"name": "x"}] * 17)[0], "at most 16"),
    ],
)
def test_json_that_is_no_request_is_refused_with_the_place(content: bytes, said: str) -> None:
    found = refusal(content)
    assert said in found
    assert len(found) < 700


def test_more_json_than_is_read_in_a_moment_is_refused() -> None:
    assert "Send the tensors as binary data" in refusal(b" " * (MAX_JSON + 1))


@pytest.mark.parametrize(
    ("given", "behind", "said"),
    [
        (tensor(), b"123", "has a binary_data_size of 4, but behind the JSON 3 bytes are left"),
        (tensor(), b"12345", "1 bytes at the end of the body belong to no input"),
        (tensor(parameters={"binary_data_size": -4}), b"", "has a binary_data_size of -4"),
        (tensor(parameters={"binary_data_size": True}), b"1", "has a binary_data_size of True"),
        (tensor(parameters={"binary_data_size": 4.5}), b"1234", "has a binary_data_size of 4.5"),
        (tensor(parameters={}), b"", "twice or nowhere"),
        (tensor(data=[1]), b"1234", "twice or nowhere"),
        (tensor(parameters={"shared_memory_region": "r"}, data=[1]), b"", "no shared memory"),
    ],
)
def test_bytes_that_do_not_fit_the_json_are_refused(given: dict[str, Any], behind: bytes, said: str) -> None:
    assert said in refusal(*body(given, behind=behind))


def given(shape: tuple[int, ...], data: list[Any] | None = None) -> InputTensor:
    return InputTensor(name="x", shape=shape, datatype="", data=data)


def test_the_elements_of_a_bytes_tensor_are_read() -> None:
    elements = [b"a", b"", bytes(range(256))]
    assert byte_strings(given((3, 1)), memoryview(strings(*elements))) == elements


@pytest.mark.parametrize("nested", [False, True])
def test_the_elements_of_a_bytes_tensor_in_json_are_base64(nested: bool) -> None:
    texts = [base64.b64encode(element).decode() for element in (b"\xff\xd8", b"b")]
    assert byte_strings(given((2, 1), [[text] for text in texts] if nested else texts), None) == [b"\xff\xd8", b"b"]


@pytest.mark.parametrize("data", [["%"], ["ü"], [1], [None], [["YQ=="], {}], [["YQ=="], ["YQ==", "YQ=="]]])
def test_what_is_no_base64_is_refused(data: list[Any]) -> None:
    with pytest.raises(WrongRequest, match="base64"):
        byte_strings(given((1,), data), None)


@pytest.mark.parametrize("binary", [b"\x01\x00\x00\x00", b"\x01\x00", strings(b"ab")[:-1], b"\xff" * 6])
def test_a_bytes_tensor_that_ends_within_an_element_is_refused(binary: bytes) -> None:
    with pytest.raises(WrongRequest, match="ends within an element"):
        byte_strings(given((1,)), memoryview(binary))


@pytest.mark.parametrize("shape", [(2,), (), (2**30, 2**30)])
def test_another_number_of_elements_than_the_shape_promises_is_refused(shape: tuple[int, ...]) -> None:
    for read in (
        lambda: byte_strings(given(shape), memoryview(strings(b"a", b"b", b"c"))),
        lambda: numbers(given(shape), memoryview(floats(1, 2, 3))),
        lambda: numbers(given(shape, [1, 2, 3]), None),
    ):
        with pytest.raises(WrongRequest, match="it has 3"):
            read()


def test_numbers_are_read_in_their_shape() -> None:
    expected = [[1.5, 2.0], [-3.0, 0.0]]
    assert numbers(given((2, 2)), memoryview(floats(1.5, 2, -3, 0))).tolist() == expected
    assert numbers(given((2, 2), expected), None).tolist() == expected
    assert numbers(given((2, 2), [1.5, 2, -3, 0]), None).dtype == np.float32


@pytest.mark.parametrize("data", [["a"], [[1], [1, 2]], [{}], [10**400]])
def test_what_is_no_tensor_of_numbers_is_refused(data: list[Any]) -> None:
    with pytest.raises(WrongRequest, match="no tensor of numbers"):
        numbers(given((1,), data), None)


def test_a_number_beyond_32_bits_becomes_infinite_without_a_warning() -> None:
    assert numbers(given((1,), [1e300]), None).tolist() == [np.inf]


def test_numbers_that_are_cut_are_refused() -> None:
    with pytest.raises(WrongRequest, match="four for each number"):
        numbers(given((1,)), memoryview(b"123"))


def test_an_answer_in_json_holds_its_data() -> None:
    output, data = output_tensor("p", [[0.25, 0.75]], binary=False)
    content, headers = join_body(InferAnswer(model_name="m", model_version="v", outputs=[output]), [data])
    assert headers == {"Content-Type": "application/json"}
    assert json.loads(content) == {
        "model_name": "m",
        "model_version": "v",
        "outputs": [{"name": "p", "shape": [1, 2], "datatype": "FP32", "data": [0.25, 0.75]}],
    }


def test_an_answer_in_binary_says_where_its_data_are() -> None:
    outputs = [output_tensor("p", [[0.25], [0.75]], binary=True), output_tensor("l", [["ü"], ["b"]], binary=True)]
    found = InferAnswer(model_name="m", model_version="v", id="7", outputs=[tensor for tensor, _ in outputs])
    content, headers = join_body(found, [data for _, data in outputs])
    length = int(headers["Inference-Header-Content-Length"])
    answered = json.loads(content[:length])
    assert answered["id"] == "7"
    assert [output["parameters"]["binary_data_size"] for output in answered["outputs"]] == [8, 11]
    assert not any("data" in output for output in answered["outputs"])
    assert content[length:] == floats(0.25, 0.75) + strings("ü".encode(), b"b")
