"""What people let us keep becomes a folder of label folders, each picture where its last judgement puts it."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from animals import registry
from animals.data import checks
from animals.data.sources.feedback import import_feedback
from animals.data.sources.fetch import main, summary
from animals.data.sources.folder import ImportResult, count_pictures
from animals.data.sources.import_pictures import FEEDBACK_ROOT, default_root, import_pictures
from animals.errors import BrokenRecords, DataError, NoModel, StorageUnavailable
from animals.prediction_records import Feedback, picture_name
from animals.storage import FolderStorage, Storage
from tests.support.pictures import scene
from tests.support.published import colour_model, encode, make_card
from tests.support.records import row

LABELS = ("cat", "dog", "cow")
FOLDERS = {"gatto": "cat", "cane": "dog", "mucca": "cow"}
DAY = datetime(2026, 11, 24, 12, tzinfo=UTC)


def publish(bucket: Storage, folders: dict[str, str]) -> None:
    model = colour_model()
    card = make_card(model, labels=LABELS, config={"data": {"root": "pictures", "folders": folders}})
    registry.write_version(bucket, card, {registry.ONNX: model})
    registry.promote(bucket, card.version, reason="test")


def judged(number: int, label: str = "cat", *, minutes: int = 0, picture: bool = True, **changes: Any) -> Feedback:
    """The judgement of answer `number`, some minutes after it."""
    identity, answered = f"{number:032x}", DAY + timedelta(days=number % 3)
    time = answered + timedelta(minutes=minutes)
    record = Feedback(
        id=identity,
        time=time,
        answered=answered,
        version="r1",
        label=label,
        prediction="cat",
        confidence=0.5,
        probabilities={"cat": 0.5, "dog": 0.3, "cow": 0.2},
        picture=picture_name(answered, identity, time) if picture else None,
    )
    return record.model_copy(update=changes)


def content(number: int) -> bytes:
    return encode(scene(number), "JPEG")


def keep(bucket: Storage, *records: Feedback) -> None:
    """Store records as the backend does, with their pictures."""
    for record in records:
        if record.picture:
            bucket.write(record.picture, content(int(record.id, 16)))
        bucket.write(record.name, record.model_dump_json().encode())


def compact(bucket: Storage, day: str, *records: Feedback) -> None:
    """Store records as a table of many, and remove the loose ones, as the reports do."""
    table = BytesIO()
    pd.DataFrame(map(row, records)).to_parquet(table)
    bucket.write(f"compacted/feedback/date={day}.parquet", table.getvalue())
    for name in {record.name for record in records} & set(bucket.names("feedback/date=")):
        bucket.delete(name)


def imported(bucket: Storage, root: Path, *records: Feedback) -> ImportResult:
    """Publish a model, store records with their pictures, and import these."""
    publish(bucket, FOLDERS)
    keep(bucket, *records)
    return import_feedback(bucket.url, root)


def pictures(root: Path) -> dict[str, int]:
    """Return the number of the picture in each label folder, after a check of its content."""
    numbers = {path: int(path.stem.removeprefix("feedback-"), 16) for path in root.rglob("*.jpg")}
    assert all(path.read_bytes() == content(number) for path, number in numbers.items())
    return {path.parent.name: number for path, number in numbers.items()}


def test_each_picture_comes_to_the_folder_of_its_label(bucket: Storage, tmp_path: Path) -> None:
    publish(bucket, FOLDERS)
    keep(bucket, judged(1, "cat"), judged(2, "dog"), judged(3, "cow"), judged(4, "cow", picture=False))
    root = tmp_path / "not" / "there"
    result = import_feedback(bucket.url, root)
    assert (result.new, result.existing, result.removed, result.left_out) == (3, 0, 0, ())
    assert pictures(root) == {"gatto": 1, "cane": 2, "mucca": 3}
    assert count_pictures(root) == {"gatto": 1, "cane": 1, "mucca": 1}


def test_where_folders_are_called_as_labels_these_are(bucket: Storage, tmp_path: Path) -> None:
    publish(bucket, {})
    keep(bucket, judged(1, "cat"), judged(2, "dog"))
    import_feedback(bucket.url, tmp_path / "root")
    assert pictures(tmp_path / "root") == {"cat": 1, "dog": 2}


def test_one_label_is_enough(bucket: Storage, tmp_path: Path) -> None:
    imported(bucket, tmp_path / "root", judged(1), judged(2))
    assert count_pictures(tmp_path / "root") == {"gatto": 2}


def test_the_same_call_goes_on_and_brings_only_what_is_new(bucket: Storage, tmp_path: Path) -> None:
    imported(bucket, tmp_path / "root", judged(1, "cat"), judged(2, "dog"))
    (tmp_path / "root" / "cane" / f"feedback-{2:032x}.jpg").write_bytes(b"cut off")
    keep(bucket, judged(3, "cow"))
    result = import_feedback(bucket.url, tmp_path / "root")
    assert (result.new, result.existing) == (2, 1)
    assert pictures(tmp_path / "root") == {"gatto": 1, "cane": 2, "mucca": 3}


def test_a_changed_mind_moves_the_picture(bucket: Storage, tmp_path: Path) -> None:
    imported(bucket, tmp_path / "root", judged(1, "cat"))
    keep(bucket, judged(1, "dog", minutes=5))
    result = import_feedback(bucket.url, tmp_path / "root")
    assert (result.new, result.removed) == (1, 1)
    assert pictures(tmp_path / "root") == {"cane": 1}
    assert not (tmp_path / "root" / "gatto").exists(), "an empty label folder would be refused"


def test_what_was_deleted_in_the_bucket_goes_from_the_folder_too(bucket: Storage, tmp_path: Path) -> None:
    imported(bucket, tmp_path / "root", judged(1, "cat"), judged(2, "dog"))
    (tmp_path / "root" / "gatto" / f".feedback-{1:032x}.jpg.unfinished").write_bytes(b"cut off")
    bucket.delete(str(judged(1).picture))
    result = import_feedback(bucket.url, tmp_path / "root")
    assert (result.existing, result.removed) == (1, 1)
    assert [path.name for path in (tmp_path / "root").rglob("*")] == ["cane", f"feedback-{2:032x}.jpg"]
    bucket.delete(str(judged(2).picture))
    with pytest.raises(DataError, match="has no pictures with feedback"):
        import_feedback(bucket.url, tmp_path / "root")
    assert list((tmp_path / "root").rglob("*")) == []


def test_other_pictures_in_the_folder_stay(bucket: Storage, tmp_path: Path) -> None:
    publish(bucket, FOLDERS)
    keep(bucket, judged(1, "dog"))
    names = ["cane/1.jpg", f"cane/{7:032x}.jpg", "gatto/feedback-on-cats.jpg", f"gatto/x-feedback-{7:032x}.jpg"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"of the data set")
    assert import_feedback(bucket.url, tmp_path).removed == 0
    assert all((tmp_path / name).read_bytes() == b"of the data set" for name in names)


@pytest.mark.parametrize("loose_is_newer", [True, False])
def test_tables_of_many_records_are_read_too_and_the_last_judgement_counts(
    bucket: Storage, tmp_path: Path, loose_is_newer: bool
) -> None:
    publish(bucket, FOLDERS)
    records = [judged(1, "cat"), judged(2, "dog"), judged(3, "cow", picture=False)]
    keep(bucket, *records)
    compact(bucket, "2026-11-25", *records)
    assert list(bucket.names("feedback/date=")) == []
    keep(bucket, judged(1, "cow", minutes=5 if loose_is_newer else -5))
    import_feedback(bucket.url, tmp_path / "root")
    assert pictures(tmp_path / "root") == {"mucca" if loose_is_newer else "gatto": 1, "cane": 2}


def test_consent_that_was_taken_back_counts_as_the_last_word(bucket: Storage, tmp_path: Path) -> None:
    publish(bucket, FOLDERS)
    keep(bucket, judged(1, "cat"), judged(2, "dog"))
    compact(bucket, "2026-11-25", judged(1, "cat"))
    keep(bucket, judged(1, "cat", minutes=1, picture=False))
    result = import_feedback(bucket.url, tmp_path / "root")
    assert pictures(tmp_path / "root") == {"cane": 2}
    assert result.left_out == (judged(1).picture,)


def test_what_cannot_be_used_is_named(bucket: Storage, tmp_path: Path) -> None:
    publish(bucket, FOLDERS)
    keep(bucket, judged(1, "cat"), judged(2, "newt"), judged(3))
    bucket.write(judged(3).name, b"{")
    orphan = picture_name(DAY, f"{9:032x}", DAY)
    bucket.write(orphan, content(9))
    bucket.write("feedback/pictures/date=2026-11-24/note.txt", b"not ours")
    result = import_feedback(bucket.url, tmp_path / "root")
    assert pictures(tmp_path / "root") == {"gatto": 1}
    assert set(result.left_out) == {judged(2).picture, judged(3).picture, orphan}
    message = summary(result, Counter(gatto=1), tmp_path / "root")
    assert "Left out, since no feedback names them with a label of r1: feedback/pictures/date=" in message


def test_a_table_that_is_none_is_told(bucket: Storage, tmp_path: Path) -> None:
    publish(bucket, FOLDERS)
    keep(bucket, judged(1))
    for data in (b"no table", _table(pd.DataFrame({"id": [f"{1:032x}"]})), _table(_timeless(judged(1)))):
        bucket.write("compacted/feedback/date=2026-11-24.parquet", data)
        with pytest.raises(BrokenRecords, match=r"date=2026-11-24\.parquet in .* is no table of feedback"):
            import_feedback(bucket.url, tmp_path / "root")


def _table(frame: pd.DataFrame) -> bytes:
    file = BytesIO()
    frame.to_parquet(file)
    return file.getvalue()


def _timeless(record: Feedback) -> pd.DataFrame:
    return pd.DataFrame([{**row(record), "time": "yesterday"}])


def test_without_feedback_or_a_model_it_is_said_what_to_do(tmp_path: Path) -> None:
    empty = FolderStorage(tmp_path / "bucket")
    with pytest.raises(NoModel, match="Train one first"):
        import_feedback(empty.url, tmp_path / "root")
    publish(empty, FOLDERS)
    with pytest.raises(DataError, match=r"has no pictures with feedback\. The page sends one if its user ticks"):
        import_feedback(empty.url, tmp_path / "root")


def test_a_picture_that_cannot_be_removed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = FolderStorage(tmp_path / "bucket")
    imported(bucket, tmp_path / "root", judged(1, "cat"))
    bucket.delete(str(judged(1).picture))

    def forbidden(path: Path, **_: Any) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "unlink", forbidden)
    with pytest.raises(StorageUnavailable, match=r"Could not remove .*gatto.*\.jpg: Permission denied"):
        import_feedback(bucket.url, tmp_path / "root")


def test_the_source_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = FolderStorage(tmp_path / "bucket")
    publish(bucket, FOLDERS)
    keep(bucket, judged(1, "cat"))
    assert default_root("feedback") == FEEDBACK_ROOT
    assert import_pictures("feedback", tmp_path / "root", bucket=bucket.url).new == 1
    monkeypatch.setenv("ANIMALS_BUCKET", bucket.url)
    assert import_pictures("feedback", tmp_path / "root").existing == 1
    with pytest.raises(DataError, match="gs://name is only for the source feedback, not for sample"):
        import_pictures("sample", tmp_path / "root", bucket="gs://name")


@pytest.fixture
def kept_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty pictures in the bucket of the working directory."""
    bucket = FolderStorage(tmp_path / "data" / "bucket")
    publish(bucket, FOLDERS)
    keep(bucket, *(judged(number, ("cat", "dog")[number % 2]) for number in range(20)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "150")


@pytest.mark.usefixtures("kept_here")
def test_the_command_shows_how_many_each_label_has_and_what_to_do_next(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main("feedback", None)
    output = capsys.readouterr().out
    rows = [line.replace("│", " ").split() for line in output.splitlines() if line.startswith("│")]
    assert rows == [["cat", "(gatto)", "10"], ["dog", "(cane)", "10"], ["All", "20"]]
    assert output.endswith(
        """
data/feedback: 20 new pictures, 0 existed already.
Look at them: uv run invoke data --check --args "experiment=folder data.root=data/feedback"
Then train on them too: uv run invoke train --args "data.extra=data/feedback promote=false" and your other settings
"""
    )


@pytest.mark.usefixtures("kept_here")
def test_the_same_checks_look_at_the_folder(capsys: pytest.CaptureFixture[str]) -> None:
    import_pictures("feedback", FEEDBACK_ROOT)
    checks.main(["experiment=folder", f"data.root={FEEDBACK_ROOT}", "data.workers=0"])
    assert capsys.readouterr().out.startswith("data/feedback: 20 files, 2 labels\n")


def test_what_was_removed_is_counted_for_the_reader() -> None:
    message = summary(ImportResult(new=0, existing=1, left_out=(), removed=2), Counter(gatto=1), FEEDBACK_ROOT)
    assert "Removed, since they were deleted or their label changed: 2." in message
