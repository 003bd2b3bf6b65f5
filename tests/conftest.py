"""What all tests share: a clean environment, no network, and a bucket of each kind."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from animals.storage import FolderStorage, GcsStorage, Storage
from tests.support.emulator import Emulator
from tests.support.http import GitHub

_OUTSIDE = (
    *("AIP_", "ANIMALS_", "CLOUDSDK_", "GCLOUD_", "GITHUB_", "GOOGLE_", "K_", "PORT", "PUBSUB_", "WANDB_"),
    "STORAGE_EMULATOR_HOST",
)
"""Variables that start so tell of a cloud, a service or an account."""


def pytest_configure() -> None:
    """No test is a machine of Google's; google-auth reads this once, when it is imported."""
    os.environ["NO_GCE_CHECK"] = "true"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes minutes begins first, so that at the end no CPU waits for it alone."""
    items.sort(key=lambda item: item.get_closest_marker("minutes") is None)


@pytest.fixture(autouse=True, scope="session")
def _ctrl_c() -> None:
    """A shell starts jobs in the background with Ctrl-C ignored, which the processes that tests start would inherit."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def _utf_8() -> None:
    """Windows writes into a pipe in the region's encoding, and tests read what processes write as UTF-8."""
    os.environ["PYTHONIOENCODING"] = "utf-8"


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's buckets, accounts and settings out of the tests."""
    for name in [name for name in os.environ if name.startswith(_OUTSIDE)]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that would reach beyond this machine fails."""
    connect = socket.socket.connect

    def connect_here(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            pytest.fail(f"Tests stay on this machine; this one calls {address}.")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_here)


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """Google Cloud Storage's emulator, one for all tests."""
    with Emulator(tmp_path_factory.mktemp("buckets")) as running:
        yield running


@pytest.fixture
def gcs_url(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty place in a new bucket of the emulator."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", emulator.url)
    return f"gs://{emulator.make_bucket()}/some/prefix"


@pytest.fixture
def github() -> Iterator[GitHub]:
    """A server in GitHub's place."""
    with GitHub() as server:
        yield server


@pytest.fixture(params=["folder", "gcs"])
def bucket(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    """An empty bucket: a folder that does not exist yet, or one in Google Cloud Storage's emulator."""
    if request.param == "folder":
        return FolderStorage(tmp_path / "bucket")
    name, _, prefix = request.getfixturevalue("gcs_url").removeprefix("gs://").partition("/")
    return GcsStorage(name, prefix, retry_deadline=2.0)
