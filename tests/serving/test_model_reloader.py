import logging
import re
import threading
import time
from collections.abc import Callable

import pytest

from animals import registry
from animals.errors import NoModel, StorageUnavailable
from animals.records import Current
from animals.serving import model_reloader
from animals.serving.metrics import Metrics
from animals.serving.model_reloader import ModelReloader, load
from animals.storage import FolderStorage, Storage
from tests.support.hooked_storage import HookedStorage, ignore, on
from tests.support.published import colour_model, make_card, plain, publish, until


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def made(storage: Storage, interval: float = 0.01) -> ModelReloader:
    return ModelReloader(storage, Metrics(), max_pixels=10_000, interval=interval)


def outcomes(reloader: ModelReloader, outcome: str) -> float:
    return reloader.metrics.registry.get_sample_value("animals_reloads_total", {"outcome": outcome}) or 0.0


def wait_for_checks(storage: HookedStorage, count: int = 3) -> None:
    before = storage.reads.count(registry.CURRENT)
    until(lambda: storage.reads.count(registry.CURRENT) >= before + count)


def test_the_promoted_version_is_loaded(bucket: Storage) -> None:
    publish(bucket, "r1", labels=("a", "b", "c"))
    publish(bucket, "r2")
    served = load(bucket, registry.read_current(bucket), max_pixels=10_000)
    assert served.current.version == "r2"
    assert served.classifier.classify(plain("red"))["red"] > 0.9


def test_each_reason_is_logged_once(
    hooked: HookedStorage, folder: FolderStorage, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "animals.serving"), made(hooked) as reloader:
        wait_for_checks(hooked, 5)
        folder.write(registry.CURRENT, b"rubbish")
        until(lambda: "cannot be read" in reloader.reason)
        folder.delete(registry.CURRENT)
        publish(folder)
        until(lambda: reloader.served is not None)
    assert len([warning for warning in warnings(caplog) if "cannot be read" in warning]) == 1
    missing = [warning for warning in warnings(caplog) if "No model is published" in warning]
    assert len(missing) <= 2, "again after the other"
    assert "r1 serves" in caplog.text


def test_a_bug_in_loading_is_logged_with_its_traceback_and_loading_is_tried_again(
    hooked: HookedStorage, folder: FolderStorage, caplog: pytest.LogCaptureFixture
) -> None:
    publish(folder)

    def fail_once(_: str) -> None:
        hooked.hook = ignore
        raise ZeroDivisionError("a bug")

    hooked.hook = on("read", fail_once)
    with made(hooked) as reloader:
        until(lambda: reloader.served is not None)
    assert "because of a bug" in caplog.text
    assert "Traceback" in caplog.text


def test_a_version_that_is_promoted_later_replaces_the_one_that_serves(bucket: Storage) -> None:
    publish(bucket, "r1")
    with made(bucket) as reloader:
        until(lambda: reloader.served is not None)
        publish(bucket, "r2", colour_model(scale=2))
        until(lambda: reloader.require_model().current.version == "r2")
        assert reloader.require_model().classifier.card.version == "r2"
        registry.rollback(bucket, reason="test")
        until(lambda: reloader.require_model().classifier.card.version == "r1")
    assert outcomes(reloader, "served") == 3
    assert reloader.metrics.registry.get_sample_value("animals_model_info", {"version": "r1"}) == 1


def test_a_model_is_read_once_however_often_the_pointer_is_checked(
    hooked: HookedStorage, folder: FolderStorage
) -> None:
    publish(folder, "r1")
    with made(hooked) as reloader:
        until(lambda: reloader.served is not None)
        classifier = reloader.require_model().classifier
        wait_for_checks(hooked)
        registry.promote(folder, "r1", reason="for another reason")
        until(lambda: reloader.require_model().current.reason == "for another reason")
        assert reloader.require_model().classifier is classifier
    assert hooked.reads.count("models/r1/model.onnx") == 1


def promote_with(folder: FolderStorage, file: str, content: bytes) -> None:
    """Publish r2, replace one of its files, and only then let it serve."""
    model = colour_model()
    registry.write_version(folder, make_card(model, "r2"), {registry.ONNX: model})
    folder.write(registry.file_name("r2", file), content)
    current = Current(version="r2", previous=registry.read_current(folder).version, reason="test")
    folder.write(registry.CURRENT, current.model_dump_json().encode())


def damaged(folder: FolderStorage) -> None:
    promote_with(folder, registry.ONNX, colour_model(scale=3))


@pytest.mark.parametrize(
    ("promote", "message"),
    [
        (damaged, "checksum"),
        (lambda folder: promote_with(folder, registry.CARD, b"{}"), "cannot be read"),
        (lambda folder: publish(folder, "r2", labels=("red", "green", "violet")), r"other labels .* \(blue, violet\)"),
        (lambda folder: publish(folder, "r2", colour_model(2), labels=("red", "green")), "other labels"),
        (lambda folder: publish(folder, "r2", colour_model(scale=float("nan"))), "not finite"),
    ],
    ids=["damaged", "card", "other labels", "fewer labels", "self-test"],
)
def test_a_version_that_cannot_serve_is_refused_once_and_the_old_one_keeps_serving(
    hooked: HookedStorage,
    folder: FolderStorage,
    caplog: pytest.LogCaptureFixture,
    promote: Callable[[FolderStorage], None],
    message: str,
) -> None:
    publish(folder, "r1")
    with made(hooked) as reloader:
        until(lambda: reloader.served is not None)
        promote(folder)
        until(lambda: outcomes(reloader, "refused") > 0)
        wait_for_checks(hooked)
        assert reloader.require_model().classifier.classify(plain("red"))["red"] > 0.9
        publish(folder, "r3")
        until(lambda: reloader.require_model().current.version == "r3")
    assert outcomes(reloader, "refused") == 1
    assert hooked.reads.count("models/r2/card.json") == 1
    assert hooked.reads.count("models/r2/model.onnx") <= 1
    (warning,) = warnings(caplog)
    assert re.match(rf"r1 keeps serving, .*{message}", warning)


def test_a_damaged_pointer_changes_nothing(folder: FolderStorage) -> None:
    publish(folder, "r1")
    with made(folder) as reloader:
        until(lambda: reloader.served is not None)
        folder.write(registry.CURRENT, b"{")
        until(lambda: "models/current.json" in reloader.reason)
        assert reloader.require_model().current.version == "r1"


def test_a_service_that_starts_while_a_broken_version_is_promoted_serves_the_previous_one(
    hooked: HookedStorage, folder: FolderStorage, caplog: pytest.LogCaptureFixture
) -> None:
    publish(folder, "r1")
    damaged(folder)
    failures = iter(range(3))

    def fail_three_times(name: str) -> None:
        if name.startswith("models/r1/") and next(failures, None) is not None:
            raise StorageUnavailable("It is unavailable.")

    hooked.hook = on("read", fail_three_times)
    with made(hooked) as reloader:
        until(lambda: reloader.served is not None)
        assert reloader.require_model().current.version == "r1"
        reads = hooked.reads.count("models/r2/model.onnx")
        wait_for_checks(hooked)
    assert hooked.reads.count("models/r2/model.onnx") == reads, "it is refused once"
    assert "checksum" in caplog.text


def test_a_refused_version_is_loaded_again_after_many_checks_while_none_serves(
    folder: FolderStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_reloader, "REFUSED_CHECKS", 3)
    publish(folder, "r1")
    name = registry.file_name("r1", registry.ONNX)
    folder.write(name, b"damaged during the download")
    with made(folder) as reloader:
        until(lambda: "checksum" in reloader.reason)
        folder.write(name, colour_model())
        until(lambda: reloader.served is not None)


def test_if_neither_version_can_serve_the_reason_names_both(folder: FolderStorage) -> None:
    publish(folder, "r1", colour_model(scale=float("nan")))
    damaged(folder)
    with made(folder) as reloader:
        until(lambda: "Nor can r1" in reloader.reason)
        assert "r2" in reloader.reason
        with pytest.raises(NoModel, match="Nor can r1"):
            reloader.require_model()


def test_while_the_bucket_is_unavailable_the_model_keeps_serving(
    hooked: HookedStorage, folder: FolderStorage, caplog: pytest.LogCaptureFixture
) -> None:
    publish(folder, "r1")

    def fail(_: str) -> None:
        raise StorageUnavailable("It is unavailable.")

    with caplog.at_level(logging.INFO, "animals.serving"), made(hooked) as reloader:
        until(lambda: reloader.served is not None)
        for _ in range(2):
            hooked.hook = on("read", fail)
            until(lambda: reloader.reason == "It is unavailable.")
            assert reloader.require_model().current.version == "r1"
            hooked.hook = ignore
            until(lambda: reloader.reason == "")
    assert caplog.text.count("r1 keeps serving") == 2
    assert caplog.text.count("The bucket answers again.") == 2


@pytest.mark.parametrize("hanging", [False, True])
def test_shutdown_waits_neither_for_the_next_check_nor_for_a_bucket_that_hangs(
    hooked: HookedStorage, monkeypatch: pytest.MonkeyPatch, hanging: bool
) -> None:
    monkeypatch.setattr(model_reloader, "JOIN_SECONDS", 0.1)
    release = threading.Event()
    if hanging:
        hooked.hook = on("read", lambda _: until(release.is_set))
    with made(hooked, interval=60) as reloader:
        until(lambda: bool(hooked.reads))
        started = time.monotonic()
    assert time.monotonic() - started < 0.8
    release.set()
    reloader._thread.join()
