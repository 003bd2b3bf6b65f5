"""Which version serves: the gate, the force that overrides it, and the rollback."""

from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from animals import registry
from animals.errors import BrokenModel, NoModel, PromotionRefused, UsageError
from animals.records import SplitInfo
from animals.storage import FolderStorage, Storage
from animals.training.release.promote import promote
from tests.support.command import run
from tests.support.published import colour_model, make_card


def publish(
    bucket: Storage, version: str, right: int, *, split: str = "0", test: str | None = None, **changes: Any
) -> None:
    """Write a version that answers `right` of forty test pictures correctly."""
    table = pd.DataFrame({"target": ["red"] * 40, "prediction": ["red"] * right + ["blue"] * (40 - right)})
    file = BytesIO()
    table.to_parquet(file, index=False)
    model = colour_model()
    files = {registry.ONNX: model, registry.REFERENCE: file.getvalue()}
    card = make_card(
        model,
        version,
        split=SplitInfo(manifest_sha256=split, seed=1, counts={"test": 40}, test_sha256=test or split),
        files={name: registry.describe(data) for name, data in files.items()},
        **changes,
    )
    registry.write_version(bucket, card, files)


@pytest.fixture
def storage(bucket: Storage) -> Storage:
    """A bucket in which r1 serves, which has 30 of 40 pictures right."""
    publish(bucket, "r1", 30)
    promote(bucket, "r1")
    return bucket


@pytest.mark.parametrize("right", [40, 30, 26])
def test_a_version_that_is_not_significantly_worse_is_promoted(storage: Storage, right: int) -> None:
    publish(storage, "r2", right)
    current = promote(storage, "r2", reason="a try")
    assert (current.version, current.previous, current.reason) == ("r2", "r1", "a try")
    assert registry.read_current(storage) == current


def test_a_worse_version_is_refused_with_the_figures(storage: Storage) -> None:
    publish(storage, "r2", 20)
    message = r"r2 is worse than r1.* 10 are right with r1 alone and 0 with r2 alone \(p = 0.002.*--force --reason"
    with pytest.raises(PromotionRefused, match=message):
        promote(storage, "r2")
    assert registry.read_current(storage).version == "r1"


def test_force_promotes_a_worse_version_and_keeps_the_reason_and_the_objection(storage: Storage) -> None:
    publish(storage, "r2", 20)
    with pytest.raises(UsageError, match="reason"):
        promote(storage, "r2", force=True)
    promote(storage, "r2", force=True, reason="r1 has a licence problem")
    kept = registry.read_current(storage).reason
    assert kept.startswith("r1 has a licence problem (forced: r2 is worse than r1")


def test_a_version_with_more_training_pictures_is_compared_on_the_same_test_pictures(bucket: Storage) -> None:
    publish(bucket, "r1", 30, test="a")
    promote(bucket, "r1")
    publish(bucket, "r2", 20, split="1", test="a")
    with pytest.raises(PromotionRefused, match="r2 is worse than r1"):
        promote(bucket, "r2")
    publish(bucket, "r3", 31, split="1", test="a")
    assert promote(bucket, "r3").version == "r3"
    publish(bucket, "r4", 40, split="2", test="b")
    with pytest.raises(PromotionRefused, match="other pictures or splits"):
        promote(bucket, "r4")


def test_what_cannot_be_compared_is_refused(storage: Storage) -> None:
    publish(storage, "r2", 40, split="1")
    with pytest.raises(PromotionRefused, match="other pictures or splits"):
        promote(storage, "r2")
    publish(storage, "r3", 40, labels=("red", "green", "violet"))
    with pytest.raises(PromotionRefused, match=r"differ in their labels \(blue, violet\)"):
        promote(storage, "r3")
    storage.write(registry.file_name("r1", registry.REFERENCE), b"changed")
    publish(storage, "r4", 40)
    with pytest.raises(PromotionRefused, match="checksum"):
        promote(storage, "r4")
    storage.write(registry.file_name("r1", registry.CARD), b"{}")
    with pytest.raises(PromotionRefused, match="cannot be read for a comparison"):
        promote(storage, "r4")


def test_a_damaged_version_is_not_promoted_by_force_either(storage: Storage) -> None:
    publish(storage, "r2", 40)
    storage.write(registry.file_name("r2", registry.ONNX), b"damaged")
    with pytest.raises(BrokenModel, match="checksum"):
        promote(storage, "r2", force=True, reason="I know better")


def test_the_version_that_serves_may_be_promoted_again(storage: Storage) -> None:
    assert promote(storage, "r1", reason="as before").previous is None


def test_the_commands_move_the_pointer_there_and_back(
    folder: FolderStorage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ANIMALS_BUCKET", folder.url)
    for version, right in (("r1", 30), ("r2", 40), ("r3", 10)):
        publish(folder, version, right)
    run("promote", "r1")
    run("promote", "r2", "--reason=better")
    assert "r2 serves in" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        run("promote", "r3")
    assert ended.value.code == 1
    assert "error: r3 is worse than r2" in capsys.readouterr().err
    run("rollback")
    assert "r1 serves in" in capsys.readouterr().out
    assert registry.read_current(folder).previous == "r2"
    assert registry.read_current(folder).reason == "rolled back by hand"


def test_there_is_no_way_back_from_the_first_version(storage: Storage) -> None:
    with pytest.raises(NoModel, match="No version was served before r1"):
        registry.rollback(storage, reason="test")


@pytest.fixture
def folder(tmp_path: Path) -> FolderStorage:
    """A bucket in which nothing is published yet."""
    return FolderStorage(tmp_path / "bucket")
