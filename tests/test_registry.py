import json

import pytest

from animals.errors import BrokenModel, NoModel, NoSuchObject, ObjectChanged, StorageUnavailable
from animals.records import Card
from animals.registry import (
    CARD,
    CURRENT,
    ONNX,
    describe,
    file_name,
    promote,
    read_card,
    read_current,
    read_file,
    versions,
    write_version,
)
from animals.storage import Storage
from tests.support.cards import make_card
from tests.support.hooked_storage import HookedStorage, on

FILES = {ONNX: b"the model", "config.json": b"{}", "README.md": b"# for people"}


def card_of(version: str = "r1", files: dict[str, bytes] = FILES) -> Card:
    described = {name: describe(data) for name, data in files.items() if name != "README.md"}
    return make_card(version, files=described)


def publish(bucket: Storage, *names: str) -> None:
    for version in names:
        write_version(bucket, card_of(version), FILES)


def test_a_promoted_version_is_read_back_as_it_was_written(bucket: Storage) -> None:
    card = card_of()
    write_version(bucket, card, FILES)

    current = promote(bucket, "r1", reason="first")

    assert read_current(bucket) == current
    assert (current.version, current.previous, current.reason) == ("r1", None, "first")
    assert read_card(bucket, "r1") == card
    assert read_file(bucket, card, ONNX) == b"the model"
    assert bucket.read(file_name("r1", "README.md")).data == b"# for people"


def test_the_card_is_written_last(bucket: Storage) -> None:
    written: list[str] = []
    write_version(HookedStorage(bucket, on("write", written.append)), card_of(), FILES)

    assert written[-1] == file_name("r1", CARD)
    assert set(written) == {file_name("r1", name) for name in [*FILES, CARD]}


@pytest.mark.parametrize("interrupted_at", [ONNX, "config.json", CARD])
def test_an_interrupted_publication_shows_nothing_and_can_be_repeated(bucket: Storage, interrupted_at: str) -> None:
    def interrupt(name: str) -> None:
        if name == file_name("r1", interrupted_at):
            raise StorageUnavailable("the line is cut")

    card = card_of()
    with pytest.raises(StorageUnavailable):
        write_version(HookedStorage(bucket, on("write", interrupt)), card, FILES)
    assert versions(bucket) == []
    with pytest.raises(NoModel):
        promote(bucket, "r1", reason="too early")

    write_version(bucket, card, FILES)
    write_version(bucket, card, FILES)
    assert versions(bucket) == ["r1"]
    assert read_file(bucket, read_card(bucket, "r1"), ONNX) == b"the model"


def test_a_version_is_never_changed(bucket: Storage) -> None:
    publish(bucket, "r1")
    other = FILES | {ONNX: b"another model"}

    with pytest.raises(ObjectChanged, match=r"models/r1/model\.onnx"):
        write_version(bucket, card_of("r1", other), other)
    assert bucket.read(file_name("r1", ONNX)).data == b"the model"


@pytest.mark.parametrize("files", [{}, FILES | {ONNX: b"another model"}], ids=["missing", "other"])
def test_files_that_the_card_does_not_describe_are_not_published(bucket: Storage, files: dict[str, bytes]) -> None:
    with pytest.raises(BrokenModel, match=r"Version r1 would be broken: .* model\.onnx"):
        write_version(bucket, card_of(), files)
    assert list(bucket.names()) == []


def test_a_file_that_is_not_the_one_on_the_card_is_refused(bucket: Storage) -> None:
    publish(bucket, "r1")
    card = read_card(bucket, "r1")
    bucket.write(file_name("r1", ONNX), b"the mode1")
    bucket.write(file_name("r1", "extra.bin"), b"1")

    for file in [ONNX, "extra.bin"]:
        with pytest.raises(BrokenModel, match="is not the file that was published"):
            read_file(bucket, card, file)
    with pytest.raises(BrokenModel, match=r"models/r1/lost\.bin is missing"):
        read_file(bucket, card, "lost.bin")


def test_a_missing_version_is_answered_with_those_that_are_there(bucket: Storage) -> None:
    with pytest.raises(NoModel, match=r"has no version r9\. Latest versions: none\."):
        read_card(bucket, "r9")

    publish(bucket, "r1", "r2")
    with pytest.raises(NoModel, match=r"has no version r9\. Latest versions: r1, r2\."):
        promote(bucket, "r9", reason="a slip")
    with pytest.raises(NoSuchObject):
        bucket.read(CURRENT)


def test_without_a_published_model_the_message_says_how_to_train_one(bucket: Storage) -> None:
    with pytest.raises(NoModel, match="Train one first: invoke train"):
        read_current(bucket)


@pytest.mark.parametrize("pointer", [b"", b"{", b'{"version": 1}', b'{"version": "r1", "reason": "", "extra": 1}'])
def test_a_broken_pointer_is_named(bucket: Storage, pointer: bytes) -> None:
    publish(bucket, "r1")
    bucket.write(CURRENT, pointer)

    message = r"models/current\.json in .* cannot be read: .* Delete it, then promote a version again"
    with pytest.raises(BrokenModel, match=message):
        read_current(bucket)
    with pytest.raises(BrokenModel, match=message):
        promote(bucket, "r1", reason="mend")
    bucket.delete(CURRENT)
    assert promote(bucket, "r1", reason="mend").previous is None


def test_a_card_that_cannot_be_read_is_named_and_not_promoted(bucket: Storage) -> None:
    publish(bucket, "r1")
    broken = json.loads(bucket.read(file_name("r1", CARD)).data) | {"labels": 3}
    bucket.write(file_name("r2", CARD), json.dumps(broken).encode())

    with pytest.raises(BrokenModel, match=r"models/r2/card\.json in .* cannot be read .*: labels: Input"):
        read_card(bucket, "r2")
    with pytest.raises(BrokenModel):
        promote(bucket, "r2", reason="a slip")


def test_the_card_of_another_version_is_refused(bucket: Storage) -> None:
    publish(bucket, "r1")
    bucket.write(file_name("r2", CARD), bucket.read(file_name("r1", CARD)).data)

    with pytest.raises(BrokenModel, match=r"models/r2/card\.json in .* is the card of version r1; expected r2"):
        read_card(bucket, "r2")


def test_promoting_remembers_the_version_before(bucket: Storage) -> None:
    publish(bucket, "r1", "r2", "r3")

    previous = [promote(bucket, version, reason="next").previous for version in ["r1", "r2", "r2", "r3", "r2"]]

    assert previous == [None, "r1", "r1", "r2", "r3"]
    assert read_current(bucket).version == "r2"


@pytest.mark.parametrize("first", [True, False], ids=["the first ever", "a later one"])
def test_of_two_that_promote_at_once_the_later_is_told(bucket: Storage, *, first: bool) -> None:
    publish(bucket, "r1", "r2", "r3")
    if not first:
        promote(bucket, "r1", reason="before")

    def another_promotes(name: str) -> None:
        if name == CURRENT:
            promote(bucket, "r2", reason="quicker")

    with pytest.raises(ObjectChanged, match=r"models/current\.json"):
        promote(HookedStorage(bucket, on("after read", another_promotes)), "r3", reason="slower")
    assert read_current(bucket).version == "r2"


def test_only_whole_versions_are_listed_the_oldest_first(bucket: Storage) -> None:
    publish(bucket, "20260102-a", "20251231-b", "20260101-c")
    bucket.write(file_name("20260103-d", ONNX), b"not finished")
    bucket.write("models/20260104-e/deeper/card.json", b"{}")
    bucket.write("other/20260105-f/card.json", b"{}")
    promote(bucket, "20260101-c", reason="test")

    assert versions(bucket) == ["20251231-b", "20260101-c", "20260102-a"]
