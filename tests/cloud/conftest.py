"""Fixtures of the tests of the cloud: a stand-in for gcloud, the real one's help, and a backend."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from animals.storage import FolderStorage
from tests.support.fake_gcloud import FakeGcloud
from tests.support.flags import GCLOUD, Flags
from tests.support.process import running
from tests.support.published import KEY, publish


@pytest.fixture
def gcloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeGcloud:
    """A stand-in for gcloud on the PATH."""
    fake = FakeGcloud(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{fake.folder}{os.pathsep}{os.environ['PATH']}")
    return fake


@pytest.fixture(scope="session")
def flags(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flags]:
    """Looks up flags in the help of the real gcloud, which is remembered between runs: each text takes a second."""
    if GCLOUD is None:
        pytest.skip("gcloud is not installed, whose help says which flags there are")
    real = Path(GCLOUD).resolve()
    key = f"gcloud/{real.stat().st_mtime_ns}"
    known: dict[str, str] = pytestconfig.cache.get(key, {})
    yield Flags(known, tmp_path_factory.mktemp("gcloud"))
    pytestconfig.cache.set(key, {**pytestconfig.cache.get(key, {}), **known})


@pytest.fixture(scope="session")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a real backend with a tiny model."""
    folder = tmp_path_factory.mktemp("backend")
    bucket = FolderStorage(folder / "bucket")
    publish(bucket, "r1")
    with running(folder, ANIMALS_BUCKET=bucket.url, ANIMALS_SECRET=KEY) as process:
        process.wait_until_ready()
        yield process.port
