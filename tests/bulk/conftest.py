"""A published model whose answers are known, and pictures to classify with it."""

from pathlib import Path

import pytest

from animals.storage import FolderStorage
from tests.support.published import plain, publish


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FolderStorage:
    """The bucket that the command looks into; version r1 serves."""
    storage = FolderStorage(tmp_path / "bucket")
    publish(storage)
    monkeypatch.setenv("ANIMALS_BUCKET", storage.url)
    monkeypatch.chdir(tmp_path)
    return storage


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with pictures in red, green and blue, one that is none, and other files."""
    folder = tmp_path / "photos"
    (folder / "more" / ".hidden").mkdir(parents=True)
    for name, colour in (("a.png", "red"), ("b.PNG", "lime"), ("more/c.jpg", "blue"), ("more/.hidden/d.png", "red")):
        (folder / name).write_bytes(plain(colour, kind="JPEG" if name.endswith("jpg") else "PNG"))
    (folder / "more" / "broken.jpg").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("no picture", encoding="utf-8")
    return folder
