"""The backend with a published model, inside this process and as one of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from animals.serving.app import create_app
from animals.serving.settings import BackendSettings
from animals.storage import FolderStorage
from tests.support.published import KEY, Started, publish, until


@pytest.fixture
def folder(tmp_path: Path) -> FolderStorage:
    """A bucket in which nothing is published yet."""
    return FolderStorage(tmp_path / "bucket")


@pytest.fixture
def settings(folder: FolderStorage) -> BackendSettings:
    """Settings for that bucket; it is looked at often, so that tests need not wait."""
    return BackendSettings(
        bucket=folder.url, secret=KEY, max_pixels=10_000, max_upload_bytes=50_000, reload_seconds=0.02
    )


@contextmanager
def _started(settings: BackendSettings) -> Iterator[TestClient]:
    with TestClient(create_app(settings)) as client:
        yield client


@pytest.fixture
def started() -> Started:
    """Starts the application, whether or not it has a model."""
    return _started


@pytest.fixture
def client(folder: FolderStorage, settings: BackendSettings) -> Iterator[TestClient]:
    """The backend, ready to answer."""
    publish(folder)
    with _started(settings) as client:
        until(lambda: client.get("/readyz").status_code == 200)
        yield client
