"""A version that may not serve is rejected before it does."""

from collections.abc import Callable
from dataclasses import asdict, replace
from io import BytesIO
from pathlib import Path

import pandas as pd
import pytest

from animals import registry
from animals.config.compose import read_run_config
from animals.errors import BrokenModel, NoModel
from animals.records import Card
from animals.storage import FolderStorage, Storage
from animals.training.release.verify import fetch, verify
from tests.support.cards import INPUT
from tests.support.published import colour_model, publish
from tests.training.conftest import Trained, files_of

Change = Callable[[Card, dict[str, bytes]], Card]


def put(trained: Trained, bucket: Storage, change: Change = lambda card, _: card) -> Card:
    """The version of a real run in a bucket, unchanged or damaged; its checksums are right in any case."""
    files = files_of(trained)
    card = change(trained.card, files)
    card = card.model_copy(update={"files": {name: registry.describe(data) for name, data in files.items()}})
    registry.write_version(bucket, card, files)
    return card


def verified(bucket: Storage, version: str, folder: Path) -> str:
    card = fetch(bucket, version, folder)
    return "\n".join(verify(bucket, card, folder))


def _elsewhere(card: Card, _: dict[str, bytes]) -> Card:
    """Its pictures are on another machine."""
    return _with_data(card, root="gone")


def _with_data(card: Card, **changes: str) -> Card:
    """The card of a run whose pictures were configured otherwise."""
    config = read_run_config(card)
    config.data = replace(config.data, **changes)  # type: ignore[arg-type]
    return card.model_copy(update={"config": asdict(config)})


def test_a_published_version_is_verified_and_copied_into_a_bucket_of_its_own(
    trained: Trained, bucket: Storage, tmp_path: Path
) -> None:
    card = put(trained, bucket)
    lines = verified(bucket, card.version, tmp_path / "candidate")
    assert f"files       {len(card.files)}, each with the checksum" in lines
    assert "labels      3; no version serves yet" in lines
    assert "table       6 test pictures" in lines
    assert "answers     6 of 6 test pictures as in the table" in lines
    candidate = FolderStorage(tmp_path / "candidate")
    assert registry.read_current(candidate).version == card.version
    with pytest.raises(NoModel):
        registry.read_current(bucket)


def test_without_the_test_pictures_the_answers_are_not_compared(
    trained: Trained, bucket: Storage, tmp_path: Path
) -> None:
    lines = verified(bucket, put(trained, bucket, _elsewhere).version, tmp_path / "candidate")
    assert "answers     one finite number per label; not compared with the table: gone is no folder" in lines


def test_feedback_that_was_deleted_since_does_not_matter(trained: Trained, bucket: Storage, tmp_path: Path) -> None:
    def with_extra(card: Card, _: dict[str, bytes]) -> Card:
        return _with_data(card, extra="gs://gone/feedback")

    assert "as in the table" in verified(bucket, put(trained, bucket, with_extra).version, tmp_path / "candidate")


def test_a_file_that_is_not_what_was_published_is_refused(trained: Trained, bucket: Storage, tmp_path: Path) -> None:
    card = put(trained, bucket)
    bucket.write(registry.file_name(card.version, card.serving_file), b"another")
    with pytest.raises(BrokenModel, match="is not the file that was published"):
        fetch(bucket, card.version, tmp_path / "candidate")


def test_other_labels_than_those_that_are_served_are_refused(trained: Trained, bucket: Storage, tmp_path: Path) -> None:
    publish(bucket, "serving", labels=("blue", "green", "violet"))
    card = put(trained, bucket)
    with pytest.raises(BrokenModel, match=r"other labels than serving, which serves \(red, violet\)"):
        verified(bucket, card.version, tmp_path / "candidate")


def _other_network(card: Card, files: dict[str, bytes]) -> Card:
    files[card.serving_file] = colour_model()  # of another size
    return card


def _no_network(card: Card, files: dict[str, bytes]) -> Card:
    files[card.serving_file] = b"no ONNX file"
    return _elsewhere(card, files)


def _other_answers(card: Card, files: dict[str, bytes]) -> Card:
    table = pd.read_parquet(BytesIO(files[registry.REFERENCE]))
    columns = [name for name in table.columns if name.startswith("p_")]
    table[columns] = table[columns].to_numpy()[::-1]
    files[registry.REFERENCE] = _parquet(table)
    return card


def _wrong_table(card: Card, files: dict[str, bytes]) -> Card:
    table = pd.read_parquet(BytesIO(files[registry.REFERENCE]))
    table["target"] = "unknown"
    files[registry.REFERENCE] = _parquet(table)
    return card


def _short_table(card: Card, files: dict[str, bytes]) -> Card:
    files[registry.REFERENCE] = _parquet(pd.read_parquet(BytesIO(files[registry.REFERENCE])).head(2))
    return card


def _other_pictures(card: Card, files: dict[str, bytes]) -> Card:
    table = pd.read_parquet(BytesIO(files[registry.REFERENCE]))
    table["picture"] = table["picture"] + "x"
    files[registry.REFERENCE] = _parquet(table)
    return card


def _one_label_less(card: Card, files: dict[str, bytes]) -> Card:
    files[card.serving_file] = colour_model(2)
    return _elsewhere(card, files).model_copy(update={"input": INPUT})


def _parquet(table: pd.DataFrame) -> bytes:
    file = BytesIO()
    table.to_parquet(file, index=False)
    return file.getvalue()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_no_network, "cannot be run"),
        (_other_network, "cannot be run"),
        (_one_label_less, "does not give one finite number for each label"),
        (_other_answers, "test pictures differently from"),
        (_other_pictures, "is of other pictures than those that its card names"),
        (_wrong_table, "has an accuracy of 0.0%; expected "),
        (_short_table, "has 2 rows"),
    ],
)
def test_what_does_not_fit_together_is_refused(change: Change, message: str, trained: Trained, tmp_path: Path) -> None:
    bucket = FolderStorage(tmp_path / "bucket")
    card = put(trained, bucket, change)
    with pytest.raises(BrokenModel, match=message):
        verified(bucket, card.version, tmp_path / "candidate")
