"""The backend with a published model, inside this process and as one of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from animals.serving.app import create_app
from animals.serving.settings import BackendSettings
from animals.storage import FolderStorage
from tests.support.hooked_storage import HookedStorage
from tests.support.process import Process, Served, running
from tests.support.published import KEY, Ready, Started, publish, until


@pytest.fixture
def folder(tmp_path: Path) -> FolderStorage:
    return FolderStorage(tmp_path / "bucket")


@pytest.fixture
def settings(folder: FolderStorage) -> BackendSettings:
    """Settings for that bucket; it is looked at often, so that tests need not wait."""
    return BackendSettings(
        bucket=folder.url, secret=KEY, max_pixels=10_000, max_upload_bytes=50_000, reload_seconds=0.02
    )


@pytest.fixture
def hooked(folder: FolderStorage) -> HookedStorage:
    return HookedStorage(folder)


@contextmanager
def _started(settings: BackendSettings) -> Iterator[TestClient]:
    with TestClient(create_app(settings)) as client:
        yield client


@pytest.fixture
def started() -> Started:
    """Starts the application, whether or not it has a model."""
    return _started


@pytest.fixture
def served(folder: FolderStorage, tmp_path: Path) -> Served:
    """Starts the backend as a process of its own, with a published model and these variables, and waits for it."""

    @contextmanager
    def start(**environment: str) -> Iterator[Process]:
        publish(folder)
        with running(tmp_path, ANIMALS_BUCKET=folder.url, **environment) as process:
            process.wait_until_ready()
            yield process

    return start


@pytest.fixture
def ready(folder: FolderStorage, settings: BackendSettings) -> Ready:
    """Starts the application with a published model and some other settings, and waits for it."""

    @contextmanager
    def start(**changes: Any) -> Iterator[TestClient]:
        publish(folder)
        with _started(settings.model_copy(update=changes)) as client:
            until(lambda: client.get("/readyz").status_code == 200)
            yield client

    return start


@pytest.fixture
def client(ready: Ready) -> Iterator[TestClient]:
    with ready() as client:
        yield client
