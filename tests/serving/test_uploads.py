"""What people and programs send: good pictures of every kind, and everything else."""

from collections.abc import Iterator
from io import BytesIO

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from animals.api import Prediction, Problem
from animals.serving.settings import BackendSettings
from tests.support.published import Started, certainty, encode, plain


def probabilities(client: TestClient, picture: bytes, name: str = "x", kind: str = "image/jpeg") -> list[float]:
    response = client.post("/classify/", files={"file": (name, picture, kind)})
    assert response.status_code == 200, response.text
    return list(Prediction.model_validate_json(response.content).probabilities.values())


def refusal(client: TestClient, status: int, **request: object) -> str:
    response = client.post("/classify/", **request)  # type: ignore[arg-type]
    assert response.status_code == status, response.text
    return Problem.model_validate_json(response.content).detail


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_every_usual_format_is_answered(client: TestClient, kind: str) -> None:
    assert probabilities(client, plain("red", kind=kind)) == pytest.approx(certainty(1, 0, 0), abs=0.01)


def test_the_content_counts_and_not_what_the_header_or_the_name_says(client: TestClient) -> None:
    found = probabilities(client, plain("red"), name="report.pdf", kind="text/plain")
    assert found == pytest.approx(certainty(1, 0, 0), abs=1e-6)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"Dear model, which animal am I?", "no picture"),
        (plain("red", kind="JPEG")[:200], "no picture"),
        (encode(Image.effect_noise((90, 90), 99), "JPEG")[:-300], "damaged"),
        (plain("red")[:60], "damaged"),
        (b"%PDF-1.7\n" + plain("red"), "no picture"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "no picture"),
        (bytes(10_000), "no picture"),
    ],
)
def test_what_is_no_whole_picture_is_answered_with_415(client: TestClient, content: bytes, message: str) -> None:
    detail = refusal(client, 415, files={"file": ("cat.jpg", content, "image/jpeg")})
    assert message in detail


def test_a_picture_with_too_many_pixels_is_answered_with_413(client: TestClient) -> None:
    detail = refusal(client, 413, files={"file": plain("red", (101, 100))})
    assert "101x100 pixels; the limit is 10,000" in detail


def test_a_picture_of_the_allowed_pixels_is_answered(client: TestClient) -> None:
    assert probabilities(client, plain("red", (100, 100)))


@pytest.mark.parametrize("path", ["/classify/", "/classify", "/healthz", "/nowhere"])
def test_a_body_announced_as_too_long_is_answered_with_413(client: TestClient, path: str) -> None:
    response = client.post(path, files={"file": bytes(50_001)})
    assert response.status_code == 413
    assert response.json() == {"detail": "The request has more than 50,000 bytes. Send a smaller picture."}


def chunks(size: int) -> Iterator[bytes]:
    yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
    for _ in range(size // 1000):
        yield bytes(1000)
    yield b"\r\n--x--\r\n"


def test_a_body_of_unknown_length_is_counted_while_it_is_read(client: TestClient) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    assert "more than 50,000 bytes" in refusal(client, 413, content=chunks(50_000), headers=headers)
    assert "no picture" in refusal(client, 415, content=chunks(40_000), headers=headers)


@pytest.mark.parametrize("length", ["many", "-1", "1e3", "9" * 30, "1_000"])
def test_a_length_that_is_no_number_is_answered_with_400(client: TestClient, length: str) -> None:
    assert "Content-Length" in refusal(client, 400, content=b"x", headers={"Content-Length": length})


@pytest.mark.parametrize(
    "request_",
    [
        {"files": {"picture": plain("red")}},
        {"data": {"file": "a text"}},
        {"files": {"file": ("", b"")}},
        {"content": plain("red"), "headers": {"Content-Type": "image/png"}},
        {"json": {"file": "cat.jpg"}},
        {},
    ],
)
def test_a_request_without_the_file_is_answered_with_422_and_how_to_send_it(
    client: TestClient, request_: dict[str, object]
) -> None:
    detail = refusal(client, 422, **request_)
    assert '"file"' in detail
    assert 'curl -F "file=@picture.jpg" http://testserver/classify/' in detail


@pytest.mark.parametrize(
    ("content", "kind", "message"),
    [
        (b"--x\r\nno header\r\n\r\n", "multipart/form-data; boundary=x", "Invalid multipart"),
        (b"--x\r\n", "multipart/form-data", "boundary"),
        (b"--x\r\nContent-Disposition: form-data\r\n\r\n", "multipart/form-data; boundary=x", '"name"'),
        (b"&".join([b"a=1"] * 20), "application/x-www-form-urlencoded", "Too many fields"),
    ],
)
def test_a_broken_body_is_answered_with_400(client: TestClient, content: bytes, kind: str, message: str) -> None:
    detail = refusal(client, 400, content=content, headers={"Content-Type": kind})
    assert message in detail
    assert "curl -F" in detail


# starlette leaves the file of an unfinished part to the garbage collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_body_that_ends_too_early_is_no_server_error(client: TestClient) -> None:
    whole = b"".join(chunks(3000))
    for end in (10, 50, 80, 1000, len(whole) - 4):
        response = client.post(
            "/classify/", content=whole[:end], headers={"Content-Type": "multipart/form-data; boundary=x"}
        )
        assert 400 <= response.status_code < 500


@pytest.mark.parametrize(
    ("fields", "pictures", "message"), [(0, 2, "Maximum number of files is 1"), (11, 1, "Too many fields")]
)
def test_too_many_parts_are_answered_with_400(client: TestClient, fields: int, pictures: int, message: str) -> None:
    data = {f"field{number}": "x" for number in range(fields)}
    assert message in refusal(client, 400, files=[("file", plain("red"))] * pictures, data=data)


@pytest.mark.parametrize("name", ["../../etc/passwd", "con", "a;b.jpg", "кот 🐈.jpg", "x" * 900, ".", " "])
def test_the_name_of_the_file_is_given_back_and_not_used(client: TestClient, name: str) -> None:
    response = client.post("/classify/", files={"file": (name, plain("red"))})
    assert response.status_code == 200
    assert response.json()["filename"] == name


def test_a_name_that_no_text_can_hold_is_given_back_as_well_as_it_can_be(client: TestClient) -> None:
    body = BytesIO()
    body.write(b'--x\r\nContent-Disposition: form-data; name="file"; filename="\\ud800.jpg"\r\n\r\n')
    body.write(plain("red"))
    body.write(b"\r\n--x--\r\n")
    headers = {"Content-Type": "multipart/form-data; boundary=x; charset=unicode_escape"}
    response = client.post("/classify/", content=body.getvalue(), headers=headers)
    assert response.status_code == 200
    assert response.json()["filename"] == "?.jpg"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_another_method_is_answered_with_405(client: TestClient, method: str) -> None:
    response = client.request(method, "/classify/")
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"
    Problem.model_validate_json(response.content)


def test_an_address_that_is_none_is_answered_with_404(client: TestClient) -> None:
    response = client.get("/nowhere")
    assert response.status_code == 404
    Problem.model_validate_json(response.content)


def test_a_request_is_checked_before_the_missing_model_is_told(started: Started, settings: BackendSettings) -> None:
    with started(settings) as client:
        assert client.post("/classify/", files={"file": bytes(50_001)}).status_code == 413
