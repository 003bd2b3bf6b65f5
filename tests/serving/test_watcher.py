import logging
import time

import pytest

from animals import registry
from animals.errors import BrokenModel, NoModel
from animals.serving import watcher
from animals.serving.watcher import Watcher, load
from animals.storage import FolderStorage, Storage, StoredObject
from tests.serving.published import colour_model, plain, publish, until


def watching(storage: Storage) -> Watcher:
    return Watcher(storage, max_pixels=10_000, threads=1, interval=0.01)


def test_the_promoted_version_is_loaded(bucket: Storage) -> None:
    publish(bucket, "r1", labels=("a", "b", "c"))
    publish(bucket, "r2")
    served = load(bucket, max_pixels=10_000, threads=1)
    assert served.current.version == "r2"
    assert served.classifier.classify(plain("red"))["red"] > 0.9


def test_nothing_published_is_said_so(bucket: Storage) -> None:
    with pytest.raises(NoModel, match="No model is published"):
        load(bucket, max_pixels=10_000, threads=1)


def test_a_file_that_is_not_the_published_one_is_not_loaded(folder: FolderStorage) -> None:
    publish(folder)
    folder.write(registry.file_name("r1", registry.ONNX), colour_model(scale=2))
    with pytest.raises(BrokenModel, match="checksum"):
        load(folder, max_pixels=10_000, threads=1)


def test_a_model_published_later_is_found(folder: FolderStorage) -> None:
    with watching(folder) as watch:
        until(lambda: "No model is published" in watch.reason)
        assert watch.served is None
        publish(folder)
        until(lambda: watch.served is not None)


def test_each_reason_is_logged_once(folder: FolderStorage, caplog: pytest.LogCaptureFixture) -> None:
    tries = 0

    class Counting(FolderStorage):
        def read(self, name: str) -> StoredObject:
            nonlocal tries
            tries += 1
            return super().read(name)

    with caplog.at_level(logging.INFO, "animals.serving"), watching(Counting(folder.root)) as watch:
        until(lambda: tries > 5)
        folder.write(registry.CURRENT, b"rubbish")
        until(lambda: "cannot be read" in watch.reason)
        folder.delete(registry.CURRENT)
        publish(folder)
        until(lambda: watch.served is not None)
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len([warning for warning in warnings if "cannot be read" in warning]) == 1
    assert len([warning for warning in warnings if "No model is published" in warning]) <= 2, "again after the other"
    assert "r1 serves" in caplog.text


def test_a_mistake_in_loading_is_logged_with_its_traceback_and_tried_again(
    folder: FolderStorage, caplog: pytest.LogCaptureFixture
) -> None:
    publish(folder)
    mistakes = iter([ZeroDivisionError("a mistake")])

    class Mistaken(FolderStorage):
        def read(self, name: str) -> StoredObject:
            for mistake in mistakes:
                raise mistake
            return super().read(name)

    with watching(Mistaken(folder.root)) as watch:
        until(lambda: watch.served is not None)
    assert "by a mistake of this service" in caplog.text
    assert "Traceback" in caplog.text


def test_the_end_does_not_wait_for_a_bucket_that_hangs(folder: FolderStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "JOIN_SECONDS", 0.1)

    class Hanging(FolderStorage):
        def read(self, name: str) -> StoredObject:
            time.sleep(1)
            return super().read(name)

    with watching(Hanging(folder.root)):
        started = time.monotonic()
    assert time.monotonic() - started < 0.8


def test_the_end_does_not_wait_for_the_next_try(folder: FolderStorage) -> None:
    with Watcher(folder, max_pixels=1, threads=1, interval=60) as watch:
        until(lambda: "No model is published" in watch.reason)
        started = time.monotonic()
    assert time.monotonic() - started < watcher.JOIN_SECONDS / 2
