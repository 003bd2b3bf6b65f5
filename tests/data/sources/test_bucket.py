"""Pictures from a bucket, many at once and none of them damaged."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from animals.data.sources.bucket import BucketSource
from animals.data.sources.folder import ImportResult, copy_pictures
from animals.errors import ConfigError, StorageUnavailable
from animals.storage import Storage, open_storage
from tests.support.emulator import Emulator
from tests.support.http import Proxy, Response
from tests.support.pictures import file_contents

FILES = {f"{label}/{number:02}.jpg": os.urandom(500) for label in ("cane", "gatto") for number in range(20)}


def fill(bucket: Storage) -> None:
    for name, data in FILES.items():
        bucket.write(f"raw/raw-img/{name}", data)


@pytest.mark.parametrize("below", ["", "/raw/raw-img"])
def test_the_pictures_of_a_bucket_or_folder_are_copied(bucket: Storage, below: str, tmp_path: Path) -> None:
    fill(bucket)
    bucket.write("raw/raw-img/translate.py", b"1")

    result = copy_pictures(BucketSource(bucket.url + below), tmp_path / "pictures")

    assert result == ImportResult(new=40, existing=0, left_out=(f"{'' if below else 'raw/raw-img/'}translate.py",))
    assert file_contents(tmp_path / "pictures") == FILES


def test_after_a_failure_only_the_rest_is_downloaded(
    gcs_url: str, emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(open_storage(gcs_url))
    fail = threading.Event()
    downloads: list[int] = []

    def forbid_the_rest(response: Response) -> Response:
        if b"kind" in response.body:  # the listing
            return response
        downloads.append(response.status)
        return response._replace(status=403) if fail.is_set() and len(downloads) > 10 else response

    fail.set()
    with Proxy(emulator.port, forbid_the_rest) as proxy:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", proxy.url)
        with pytest.raises(StorageUnavailable, match="permission denied"):
            copy_pictures(BucketSource(gcs_url), tmp_path)
        copied = len(file_contents(tmp_path))
        fail.clear()
        downloads.clear()
        assert copy_pictures(BucketSource(gcs_url), tmp_path) == ImportResult(new=40 - copied, existing=copied)

    assert len(downloads) == 40 - copied
    assert file_contents(tmp_path) == FILES


def test_a_picture_that_is_damaged_on_the_way_is_not_written(
    gcs_url: str, emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(open_storage(gcs_url))

    def damage(response: Response) -> Response:
        return response if b"kind" in response.body else response._replace(body=bytes(len(response.body)))

    with Proxy(emulator.port, damage) as proxy:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", proxy.url)
        with pytest.raises(StorageUnavailable, match="damaged data"):
            copy_pictures(BucketSource(gcs_url), tmp_path)
    assert file_contents(tmp_path) == {}


@pytest.mark.skipif(os.name == "nt", reason="copied Ctrl-C reaches a group of processes")
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT between processes")
def test_ctrl_c_ends_a_download_and_the_same_command_goes_on(gcs_url: str, emulator: Emulator, tmp_path: Path) -> None:
    fill(open_storage(gcs_url))

    def dawdle(response: Response) -> Response:
        time.sleep(0.5)
        return response

    command = [sys.executable, "-m", "animals", "data", "--source", gcs_url, "--root", str(tmp_path / "pictures")]
    with Proxy(emulator.port, dawdle) as proxy:
        slow = {**os.environ, "STORAGE_EMULATOR_HOST": proxy.url}
        process = subprocess.Popen(command, env=slow, stderr=subprocess.PIPE, encoding="utf-8")
        deadline = time.monotonic() + 60
        while not file_contents(tmp_path / "pictures") and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr.strip()) == (130, "interrupted")
    assert 0 < len(file_contents(tmp_path / "pictures")) < 40

    done = subprocess.run(command, env={**os.environ, "STORAGE_EMULATOR_HOST": emulator.url}, check=False)
    assert done.returncode == 0
    assert file_contents(tmp_path / "pictures") == FILES


def test_an_impossible_url_is_refused_at_once() -> None:
    with pytest.raises(ConfigError, match="neither a local folder nor of the form gs://"):
        BucketSource("s3://name/prefix")
