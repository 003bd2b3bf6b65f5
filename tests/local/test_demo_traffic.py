"""What a demonstration sends, and what it says when that fails."""

import json
import threading
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image

from animals import registry
from animals.errors import AnimalsError, DataError, NoModel
from animals.local.demo_traffic import Known, fetch_report, known_pictures, send
from animals.storage import FolderStorage
from tests.support.emulator import free_port
from tests.support.pictures import COLORS, write_picture
from tests.support.published import colour_model, make_card


class Backend(ThreadingHTTPServer):
    """Answers with these statuses, one after the other and then 200, and remembers what came."""

    def __init__(self, *statuses: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.statuses = list(statuses)
        self.came: list[tuple[str, bytes]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Backend

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.came.append((self.path, body))
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 200)
        answer = {"prediction": "red", "prediction_id": "a-token", "stored": True, "detail": "why"}
        data = json.dumps(answer).encode()
        for name, value in (("Content-Length", str(len(data))), ("Retry-After", "0")):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        """Not to the tests' output."""


@contextmanager
def backend(*statuses: int) -> Iterator[Backend]:
    with Backend(*statuses) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def pictures(tmp_path: Path) -> list[Known]:
    """Forty pictures of red and blue."""
    found = []
    for number in range(40):
        label = ("red", "blue")[number % 2]
        path = tmp_path / "pictures" / label / f"{number}.jpg"
        write_picture(path, COLORS[label], seed=number)
        found.append(Known(path, label))
    return found


def nothing() -> None:
    """Between two pictures."""


def test_each_picture_is_asked_about_and_judged_by_its_label(pictures: list[Known]) -> None:
    with backend() as server:
        tally = send(server.url, pictures, between=nothing)
    judged = [json.loads(body) for path, body in server.came if path == "/post_data/"]
    assert [it["x"] for it in judged] == [known.label for known in pictures]
    assert {it["prediction_id"] for it in judged} == {"a-token"}
    assert (tally.asked, tally.judged, tally.right) == (40, 40, 20)
    assert 0 < tally.spoiled < 20
    kept = [b64decode(it["picture"]) for it in judged if "picture" in it]
    assert 0 < len(kept) == tally.kept < 20
    assert all(Image.open(BytesIO(data)).format == "JPEG" for data in kept)
    asked = [body for path, body in server.came if path == "/classify/"]
    assert (
        sum(known.path.read_bytes() in body for known, body in zip(pictures, asked, strict=True)) == 40 - tally.spoiled
    )
    assert all(any(data in body for body in asked) for data in kept)


def test_a_backend_that_says_later_is_asked_again(pictures: list[Known]) -> None:
    with backend(503, 503, 200, 503) as server:
        assert send(server.url, pictures[:1], between=nothing).judged == 1
    assert [path for path, _ in server.came] == ["/classify/"] * 3 + ["/post_data/"] * 2


def test_a_refusal_and_a_backend_that_is_away_are_told(pictures: list[Known], tmp_path: Path) -> None:
    with backend(415) as server, pytest.raises(AnimalsError, match=r"/classify/ answers 415: .*why"):
        send(server.url, pictures, between=nothing)
    with backend(*[503] * 20) as server, pytest.raises(AnimalsError, match="answers 503"):
        send(server.url, pictures, between=nothing)
    away = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(AnimalsError, match="cannot be reached"):
        send(away, pictures, between=nothing)
    with pytest.raises(AnimalsError, match="cannot be reached"):
        fetch_report(away, tmp_path / "reports.zip")
    with backend(404) as server, pytest.raises(AnimalsError, match="answers 404"):
        fetch_report(server.url, tmp_path / "reports.zip")
    assert not (tmp_path / "reports.zip").exists()


def published(folder: FolderStorage, root: Path, table: pd.DataFrame) -> None:
    file = BytesIO()
    table.to_parquet(file, index=False)
    files = {registry.ONNX: colour_model(), registry.REFERENCE: file.getvalue()}
    described = {name: registry.describe(data) for name, data in files.items()}
    config: dict[str, Any] = {"data": {"root": str(root)}}
    registry.write_version(folder, make_card(files[registry.ONNX], files=described, config=config), files)
    registry.promote(folder, "r1", reason="test")


def test_the_pictures_are_those_that_the_version_was_tested_on(pictures: list[Known], tmp_path: Path) -> None:
    folder, root = FolderStorage(tmp_path / "bucket"), tmp_path / "pictures"
    with pytest.raises(NoModel):
        known_pictures(folder)
    names = [known.path.relative_to(root).as_posix() for known in pictures]
    table = pd.DataFrame({"picture": [*names, "gone.jpg"], "target": [*(known.label for known in pictures), "red"]})
    published(folder, root, table)
    found = known_pictures(folder)
    assert set(found) == set(pictures)
    assert found == known_pictures(folder) != pictures


def test_pictures_that_are_elsewhere_are_told_with_what_to_do(tmp_path: Path) -> None:
    folder = FolderStorage(tmp_path / "bucket")
    published(folder, tmp_path / "nowhere", pd.DataFrame({"picture": ["a.jpg"], "target": ["red"]}))
    with pytest.raises(DataError, match=r"not on this machine: expected them in .*nowhere.*invoke demo"):
        known_pictures(folder)
