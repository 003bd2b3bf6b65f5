"""Reports on the records in a bucket."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from animals.errors import BrokenModel, BrokenRecords, NoModel, NothingToReport
from animals.monitoring.feedback import wilson
from animals.monitoring.html import sample_sentence
from animals.monitoring.report import LATEST, build_report, make_files, read_latest, store
from animals.records import probability_columns
from animals.storage import FolderStorage
from tests.support.records import (
    LABELS,
    NOON,
    TODAY,
    make_feedback,
    make_prediction,
    publish,
    put_feedback,
    put_predictions,
    reference_frame,
    row,
)

YESTERDAY = NOON - timedelta(days=1)


@pytest.fixture
def folder(tmp_path: Path) -> FolderStorage:
    storage = FolderStorage(tmp_path / "bucket")
    publish(storage)
    return storage


def test_without_records_all_counts_are_zero(folder: FolderStorage) -> None:
    report = build_report(folder, created=NOON)

    feedback = report.summary.feedback
    assert (feedback.records, feedback.right, feedback.accuracy, feedback.interval) == (0, 0, None, None)
    assert feedback.reference_accuracy == pytest.approx(0.9, abs=0.05)
    assert feedback.labels == dict.fromkeys(LABELS, 0)
    assert feedback.needed == 30
    assert [day.date for day in feedback.by_day] == [TODAY - timedelta(days=before) for before in range(6, -1, -1)]
    assert {day.median_milliseconds for day in report.summary.predictions.by_day} == {None}
    assert not report.summary.drift.checked
    assert not report.summary.decision.retrain
    with pytest.raises(NothingToReport, match=r"no feedback in the last 7 days.* needs 30 feedback records"):
        make_files(report)


def test_feedback_is_counted_by_day_label_and_version(folder: FolderStorage) -> None:
    put_feedback(folder, make_feedback("a"), make_feedback("b", "bee"), make_feedback("c", version="r0"))
    put_feedback(folder, make_feedback("d", answered=YESTERDAY), make_feedback("e", answered=NOON - timedelta(days=7)))

    feedback = build_report(folder, created=NOON).summary.feedback
    assert (feedback.records, feedback.right) == (3, 2)
    assert feedback.accuracy == pytest.approx(2 / 3)
    assert feedback.labels == {"ant": 2, "bee": 1, "cat": 0, "dog": 0}
    assert feedback.versions == {"r0": 1, "r1": 3}
    assert [(day.records, day.right) for day in feedback.by_day] == [(0, 0)] * 5 + [(1, 1), (2, 1)]
    assert build_report(folder, 8, created=NOON).summary.feedback.records == 4
    assert build_report(folder, 1, created=NOON).summary.feedback.records == 2


def test_another_version_is_compared_with_its_own_reference(folder: FolderStorage) -> None:
    publish(folder, "r2", reference=reference_frame(accuracy=0.5))
    put_feedback(folder, make_feedback("a"), make_feedback("b", version="r2"), make_feedback("c", version="r2"))

    assert build_report(folder, created=NOON).summary.feedback.records == 2
    old = build_report(folder, version="r1", created=NOON).summary
    assert (old.version, old.feedback.records) == ("r1", 1)
    assert old.feedback.reference_accuracy == pytest.approx(0.9, abs=0.05)


def test_records_with_other_labels_than_their_version_are_broken(folder: FolderStorage) -> None:
    random = np.random.default_rng(0)
    put_feedback(
        folder,
        make_feedback("a"),
        make_feedback("b", "zebra"),
        make_feedback("c", prediction="zebra"),
        make_feedback("d", probabilities={"ant": 1.0}),
    )
    put_predictions(
        folder,
        [
            make_prediction("e", random),
            make_prediction("f", random, prediction="zebra"),
            make_prediction("g", random, probabilities={}),
        ],
    )
    folder.write(f"feedback/date={TODAY}/z.json", b"{")
    folder.write(f"predictions/date={TODAY}/z.jsonl", b"{\n{\n")

    summary = build_report(folder, created=NOON).summary
    assert summary.feedback.records == 1
    assert summary.feedback.broken == tuple(f"feedback/date={TODAY}/{name}.json" for name in "zbcd")
    assert summary.feedback.broken_count == 4
    assert (summary.predictions.records, summary.predictions.broken_count) == (1, 4)


def test_at_most_twenty_broken_records_are_named(folder: FolderStorage) -> None:
    for number in range(25):
        folder.write(f"feedback/date={TODAY}/{number}.json", b"")
    feedback = build_report(folder, created=NOON).summary.feedback
    assert (len(feedback.broken), feedback.broken_count) == (20, 25)


def test_predictions_are_counted_by_day_with_their_median_time(folder: FolderStorage) -> None:
    random = np.random.default_rng(0)
    times = [10.0, 20.0, 90.0]
    put_predictions(folder, (make_prediction(f"{time}", random, milliseconds=time) for time in times))
    put_predictions(
        folder,
        [make_prediction("y", random, time=YESTERDAY, milliseconds=5.0), make_prediction("z", random, version="r0")],
    )

    by_day = build_report(folder, 2, created=NOON).summary.predictions.by_day
    assert [(day.records, day.median_milliseconds) for day in by_day] == [(1, 5.0), (3, 20.0)]


def test_the_rows_have_the_columns_of_the_reference(folder: FolderStorage) -> None:
    random = np.random.default_rng(0)
    entries = [make_prediction(f"{number}", random) for number in range(3)]
    put_predictions(folder, entries)
    record = make_feedback("a")
    put_feedback(folder, record)

    report = build_report(folder, created=NOON)
    expected = pd.DataFrame(map(row, entries))
    pd.testing.assert_frame_equal(report.predictions[list(expected)], expected, check_dtype=False)
    expected_row = probability_columns(record.probabilities)
    assert report.feedback[list(expected_row)].iloc[0].to_dict() == expected_row
    assert set(report.reference.table) - set(report.predictions) == {"target"}


def test_a_model_without_projections_has_none(folder: FolderStorage) -> None:
    random = np.random.default_rng(0)
    put_predictions(folder, [make_prediction("a", random, projection=()), make_prediction("b", random)])
    frame = build_report(folder, created=NOON).predictions
    assert frame["projection_0"].isna().tolist() == [True, False]


def put_pictures(folder: FolderStorage, *days: int, shift: float = 0.3) -> None:
    """Store predictions for brighter pictures on these days before today."""
    random = np.random.default_rng(0)
    for day in days:
        time = NOON - timedelta(days=day)
        put_predictions(folder, (make_prediction(f"{day}-{n}", random, shift=shift, time=time) for n in range(100)))


@pytest.mark.parametrize(
    ("bright", "normal", "expected"),
    [((), (0, 1, 2), 0), ((0, 1), (2,), 2), ((0, 2), (1,), 1), ((1,), (0,), 0), ((0, 3), (), 2), ((0, 1, 2), (), 3)],
    ids=["none", "two of three", "not in a row", "not the last", "days without pictures between", "all"],
)
def test_the_latest_days_with_drift_are_counted(
    folder: FolderStorage, bright: tuple[int, ...], normal: tuple[int, ...], expected: int
) -> None:
    put_pictures(folder, *bright)
    put_pictures(folder, *normal, shift=0.0)
    summary = build_report(folder, created=NOON).summary
    assert summary.days_drifted == expected
    assert summary.drift.drifted == bool(bright)


def test_pictures_of_predictions_after_the_creation_of_the_version_count(folder: FolderStorage) -> None:
    made = NOON - timedelta(days=3)
    for day, name in ((made - timedelta(days=1), "a"), (NOON - timedelta(days=1), "b"), (NOON, "c")):
        folder.write(f"feedback/pictures/date={day:%Y-%m-%d}/{name}.jpg", b"")
    hour = timedelta(hours=1)
    put_feedback(
        folder,
        make_feedback("d", answered=made - hour, picture="x"),
        make_feedback("e", answered=made + hour, picture="x"),
    )
    put_feedback(folder, make_feedback("f", answered=made + hour))

    assert build_report(folder, 1, created=NOON).summary.pictures == 3


def test_many_wrong_predictions_lead_to_retraining(folder: FolderStorage) -> None:
    put_feedback(folder, *(make_feedback(f"{number}", "bee" if number % 3 else "ant") for number in range(60)))
    for number in range(60):
        folder.write(f"feedback/pictures/date={TODAY}/{number}.jpg", b"")
    decision = build_report(folder, created=NOON).summary.decision
    assert decision.retrain
    assert "20 of 60" in decision.reasons[0]


def test_the_wilson_interval_is_that_of_the_books() -> None:
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson(0, 3) == pytest.approx((0, 0.5615), abs=1e-4)
    assert wilson(3, 3)[1] == 1


def test_an_unknown_or_missing_version_is_an_error(folder: FolderStorage, tmp_path: Path) -> None:
    with pytest.raises(NoModel, match="has no version r9"):
        build_report(folder, version="r9")
    with pytest.raises(NoModel, match="No model is published"):
        build_report(FolderStorage(tmp_path / "empty"))


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (reference_frame().drop(columns=["target", "p_ant"]), "has no column p_ant, target"),
        (reference_frame().iloc[:0], "has no rows"),
    ],
)
def test_an_unusable_reference_is_an_error(folder: FolderStorage, reference: pd.DataFrame, message: str) -> None:
    publish(folder, "r2", reference=reference)
    with pytest.raises(BrokenModel, match=message):
        build_report(folder)


def test_a_reference_that_is_not_parquet_is_an_error(folder: FolderStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pd.DataFrame, "to_parquet", lambda _, file, **__: file.write(b"no table"))
    publish(folder, "r2")
    with pytest.raises(BrokenModel, match=r"models/r2/reference.parquet in .* is not a Parquet file"):
        build_report(folder)


def test_the_newest_report_is_stored_as_the_latest(folder: FolderStorage) -> None:
    assert read_latest(folder) is None
    put_feedback(folder, make_feedback("a"))
    summary = build_report(folder, created=NOON).summary
    files = {"summary.json": summary.model_dump_json().encode()}
    prefix = store(folder, summary, files, latest=True)
    assert prefix.startswith("reports/20261124T120000Z-")
    assert folder.read(f"{prefix}summary.json").data == files["summary.json"]
    assert read_latest(folder) == summary
    store(folder, summary, {"summary.json": b"{}"}, latest=False)
    assert read_latest(folder) == summary
    folder.write(LATEST, b"{")
    with pytest.raises(BrokenRecords, match="Make a new report"):
        read_latest(folder)


def test_a_page_says_what_is_missing(folder: FolderStorage) -> None:
    put_feedback(folder, make_feedback("a"), make_feedback("b", "bee"), make_feedback("c", version="r<0>"))
    folder.write(f"feedback/date={TODAY}/<z>.json", b"{")
    files = {name: data.decode() for name, data in make_files(build_report(folder, created=NOON)).items()}
    assert list(files) == ["index.html", "performance.html", "drift.html", "summary.json"]
    assert "28 are missing" in files["performance.html"]
    assert "Accuracy on feedback: 50.0% (1 of 2 records, 95% interval 9.5% to 90.5%)" in files["index.html"]
    assert "Too few pictures" in files["drift.html"]
    assert "1 of r&lt;0&gt;" in files["index.html"]
    assert "/&lt;z&gt;.json" in files["index.html"]


def test_predictions_without_feedback_make_a_report_too(folder: FolderStorage) -> None:
    random = np.random.default_rng(0)
    put_predictions(folder, (make_prediction(f"{number}", random) for number in range(3)))
    folder.write(f"predictions/date={TODAY}/z.jsonl", b"{\n")
    files = {name: data.decode() for name, data in make_files(build_report(folder, 1, created=NOON)).items()}
    assert "There is no feedback yet." in files["performance.html"]
    assert "Predictions of today (UTC)." in files["index.html"]
    assert "1 broken lines of the log are rejected." in files["index.html"]


def test_a_page_says_how_many_records_the_plots_show() -> None:
    assert sample_sentence(60, 60, "records") == "The plots show all 60 records."
    assert "a random sample of 5000 of the 101000 records;" in sample_sentence(5000, 101_000, "records")
