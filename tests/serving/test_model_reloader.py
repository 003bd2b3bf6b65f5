import logging
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from animals import registry
from animals.errors import BrokenModel, NoModel, StorageUnavailable
from animals.records import Current
from animals.serving import model_reloader
from animals.serving.metrics import Metrics
from animals.serving.model_reloader import ModelReloader, load
from animals.storage import FolderStorage, Storage, StoredObject
from tests.support.published import colour_model, make_card, plain, publish, until


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def watching(storage: Storage) -> ModelReloader:
    return ModelReloader(storage, Metrics(), max_pixels=10_000, interval=0.01)


def test_the_promoted_version_is_loaded(bucket: Storage) -> None:
    publish(bucket, "r1", labels=("a", "b", "c"))
    publish(bucket, "r2")
    served = load(bucket, registry.read_current(bucket), max_pixels=10_000)
    assert served.current.version == "r2"
    assert served.classifier.classify(plain("red"))["red"] > 0.9


def test_nothing_published_is_said_so(bucket: Storage) -> None:
    with pytest.raises(NoModel, match="No model is published"):
        load(bucket, registry.read_current(bucket), max_pixels=10_000)


def test_a_file_that_is_not_the_published_one_is_not_loaded(folder: FolderStorage) -> None:
    publish(folder)
    folder.write(registry.file_name("r1", registry.ONNX), colour_model(scale=2))
    with pytest.raises(BrokenModel, match="checksum"):
        load(folder, registry.read_current(folder), max_pixels=10_000)


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
    assert len([warning for warning in warnings(caplog) if "cannot be read" in warning]) == 1
    assert len([warning for warning in warnings(caplog) if "No model is published" in warning]) <= 2, (
        "again after the other"
    )
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
    assert "because of a bug" in caplog.text
    assert "Traceback" in caplog.text


def test_the_end_does_not_wait_for_the_next_try(folder: FolderStorage) -> None:
    with ModelReloader(folder, Metrics(), max_pixels=1, interval=60) as watch:
        until(lambda: "No model is published" in watch.reason)
        started = time.monotonic()
    assert time.monotonic() - started < model_reloader.JOIN_SECONDS / 2


class Recorded(FolderStorage):
    """A bucket that remembers what was read from it."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.reads: list[str] = []

    def read(self, name: str) -> StoredObject:
        self.reads.append(name)
        return super().read(name)


def looked(storage: Recorded, times: int = 3) -> None:
    """Wait for more looks at the pointer."""
    before = storage.reads.count(registry.CURRENT)
    until(lambda: storage.reads.count(registry.CURRENT) >= before + times)


def outcomes(watch: ModelReloader, outcome: str) -> float:
    return watch.metrics.registry.get_sample_value("animals_reloads_total", {"outcome": outcome}) or 0.0


def test_a_version_promoted_later_replaces_the_one_that_serves(bucket: Storage) -> None:
    publish(bucket, "r1")
    with watching(bucket) as watch:
        until(lambda: watch.served is not None)
        publish(bucket, "r2", colour_model(scale=2))
        until(lambda: watch.require_model().current.version == "r2")
        assert watch.require_model().classifier.card.version == "r2"
        registry.rollback(bucket, reason="test")
        until(lambda: watch.require_model().classifier.card.version == "r1")
    assert outcomes(watch, "served") == 3
    assert watch.metrics.registry.get_sample_value("animals_model_info", {"version": "r1"}) == 1


def test_a_model_is_read_once_however_often_the_pointer_is_looked_at(folder: FolderStorage) -> None:
    publish(folder, "r1")
    storage = Recorded(folder.root)
    with watching(storage) as watch:
        until(lambda: watch.served is not None)
        classifier = watch.require_model().classifier
        looked(storage)
        registry.promote(folder, "r1", reason="for another reason")
        until(lambda: watch.require_model().current.reason == "for another reason")
        assert watch.require_model().classifier is classifier
    assert storage.reads.count("models/r1/model.onnx") == 1


def spoiled(folder: FolderStorage, file: str, content: bytes) -> None:
    """Write a version, spoil one of its files, and only then let it serve."""
    model = colour_model()
    registry.write_version(folder, make_card(model, "r2"), {registry.ONNX: model})
    folder.write(registry.file_name("r2", file), content)
    current = Current(version="r2", previous=registry.read_current(folder).version, reason="spoiled")
    folder.write(registry.CURRENT, current.model_dump_json().encode())


def damaged(folder: FolderStorage) -> None:
    spoiled(folder, registry.ONNX, colour_model(scale=3))


def with_other_labels(folder: FolderStorage) -> None:
    publish(folder, "r2", labels=("red", "green", "violet"))


def with_fewer_labels(folder: FolderStorage) -> None:
    publish(folder, "r2", colour_model(2), labels=("red", "green"))


def failing_its_self_test(folder: FolderStorage) -> None:
    publish(folder, "r2", colour_model(scale=float("nan")))


def without_a_readable_card(folder: FolderStorage) -> None:
    spoiled(folder, registry.CARD, b"{}")


BROKEN = [
    (damaged, "checksum"),
    (with_other_labels, r"other labels than r1, which serves \(blue, violet\)"),
    (with_fewer_labels, "other labels"),
    (failing_its_self_test, "not finite"),
    (without_a_readable_card, "cannot be read"),
]


@pytest.mark.parametrize(("promote", "said"), BROKEN, ids=[promote.__name__ for promote, _ in BROKEN])
def test_a_version_that_cannot_serve_is_refused_once_and_the_old_one_serves_on(
    folder: FolderStorage, caplog: pytest.LogCaptureFixture, promote: Callable[[FolderStorage], None], said: str
) -> None:
    publish(folder, "r1")
    storage = Recorded(folder.root)
    with watching(storage) as watch:
        until(lambda: watch.served is not None)
        promote(folder)
        until(lambda: outcomes(watch, "refused") > 0)
        looked(storage)
        assert watch.require_model().classifier.card.version == "r1"
        assert watch.require_model().classifier.classify(plain("red"))["red"] > 0.9
        publish(folder, "r3")
        until(lambda: watch.require_model().current.version == "r3")
    assert outcomes(watch, "refused") == 1
    assert storage.reads.count("models/r2/card.json") == 1
    assert storage.reads.count("models/r2/model.onnx") <= 1
    (warning,) = warnings(caplog)
    assert re.match(rf"r1 keeps serving, .*{said}", warning)


def test_a_damaged_pointer_changes_nothing(folder: FolderStorage) -> None:
    publish(folder, "r1")
    with watching(folder) as watch:
        until(lambda: watch.served is not None)
        folder.write(registry.CURRENT, b"{")
        until(lambda: "models/current.json" in watch.reason)
        assert watch.require_model().current.version == "r1"


def test_who_starts_while_a_broken_version_is_promoted_serves_the_one_before(
    folder: FolderStorage, caplog: pytest.LogCaptureFixture
) -> None:
    publish(folder, "r1")
    damaged(folder)
    storage = Recorded(folder.root)
    with watching(storage) as watch:
        until(lambda: watch.served is not None)
        assert watch.require_model().current.version == "r1"
        looked(storage)
    assert storage.reads.count("models/r2/model.onnx") == 1
    assert "checksum" in caplog.text


def test_the_version_before_is_waited_for_if_the_bucket_is_away_just_then(folder: FolderStorage) -> None:
    publish(folder, "r1")
    damaged(folder)
    absences = iter(["It is away."] * 3)

    class Leaving(FolderStorage):
        def read(self, name: str) -> StoredObject:
            if name.startswith("models/r1/"):
                for absence in absences:
                    raise StorageUnavailable(absence)
            return super().read(name)

    with watching(Leaving(folder.root)) as watch:
        until(lambda: watch.served is not None)
        assert watch.require_model().current.version == "r1"


def test_without_any_other_a_refused_version_is_tried_again_in_the_end(
    folder: FolderStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_reloader, "REFUSED_CHECKS", 3)
    publish(folder, "r1")
    name = registry.file_name("r1", registry.ONNX)
    folder.write(name, b"damaged on its way")
    with watching(folder) as watch:
        until(lambda: "checksum" in watch.reason)
        folder.write(name, colour_model())
        until(lambda: watch.served is not None)


def test_neither_version_can_serve_is_said_of_both(folder: FolderStorage) -> None:
    publish(folder, "r1", colour_model(scale=float("nan")))
    damaged(folder)
    with watching(folder) as watch:
        until(lambda: "Nor can r1" in watch.reason)
        assert "r2" in watch.reason
        with pytest.raises(NoModel, match="Nor can r1"):
            watch.require_model()


def test_while_the_bucket_is_away_the_model_serves_on(folder: FolderStorage, caplog: pytest.LogCaptureFixture) -> None:
    publish(folder, "r1")
    away = threading.Event()

    class Leaving(FolderStorage):
        def read(self, name: str) -> StoredObject:
            if away.is_set():
                raise StorageUnavailable("It is away.")
            return super().read(name)

    with caplog.at_level(logging.INFO, "animals.serving"), watching(Leaving(folder.root)) as watch:
        until(lambda: watch.served is not None)
        for _ in range(2):
            away.set()
            until(lambda: watch.reason == "It is away.")
            assert watch.require_model().current.version == "r1"
            away.clear()
            until(lambda: watch.reason == "")
    assert caplog.text.count("r1 keeps serving") == 2
    assert caplog.text.count("The bucket answers again.") == 2


def test_the_end_does_not_wait_for_a_bucket_that_hangs(folder: FolderStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_reloader, "JOIN_SECONDS", 0.1)
    release = threading.Event()

    class Hanging(FolderStorage):
        def read(self, name: str) -> StoredObject:
            release.wait(30)
            return super().read(name)

    with watching(Hanging(folder.root)):
        started = time.monotonic()
    assert time.monotonic() - started < 0.8
    release.set()
    for thread in threading.enumerate():
        if thread.name == "model reloader":
            thread.join()
