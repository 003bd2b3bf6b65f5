"""What a report finds in the bucket, day by day."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from animals.errors import BrokenModel, BrokenRecords, NoModel, NothingToReport
from animals.monitoring import report
from animals.monitoring.feedback import wilson
from animals.monitoring.html import drawn
from animals.monitoring.report import find, make_files, read_latest, store
from animals.storage import FolderStorage
from tests.support.records import (
    LABELS,
    NOON,
    TODAY,
    answered,
    columns,
    judged,
    publish,
    put_feedback,
    put_predictions,
    reference_frame,
)

YESTERDAY = NOON - timedelta(days=1)


@pytest.fixture
def folder(tmp_path: Path) -> FolderStorage:
    """A bucket with a published version."""
    storage = FolderStorage(tmp_path / "bucket")
    publish(storage)
    return storage


def test_without_records_all_is_nought_and_it_says_what_is_needed(folder: FolderStorage) -> None:
    found = find(folder, created=NOON)

    feedback = found.summary.feedback
    assert (feedback.records, feedback.right, feedback.accuracy, feedback.interval) == (0, 0, None, None)
    assert feedback.reference_accuracy == pytest.approx(0.9, abs=0.05)
    assert feedback.labels == dict.fromkeys(LABELS, 0)
    assert feedback.needed == 30
    assert [day.date for day in feedback.by_day] == [TODAY - timedelta(days=before) for before in range(6, -1, -1)]
    assert {day.median_milliseconds for day in found.summary.predictions.by_day} == {None}
    assert not found.summary.drift.checked
    assert not found.summary.decision.retrain
    with pytest.raises(NothingToReport, match=r"in the last 7 days it has answered nothing.* 30 judged answers make"):
        make_files(found)


def test_judgements_are_counted_by_day_label_and_version(folder: FolderStorage) -> None:
    put_feedback(folder, judged("a"), judged("b", "bee"), judged("c", version="r0"))
    put_feedback(folder, judged("d", answered=YESTERDAY), judged("e", answered=NOON - timedelta(days=7)))

    feedback = find(folder, created=NOON).summary.feedback
    assert (feedback.records, feedback.right) == (3, 2)
    assert feedback.accuracy == pytest.approx(2 / 3)
    assert feedback.labels == {"ant": 2, "bee": 1, "cat": 0, "dog": 0}
    assert feedback.versions == {"r0": 1, "r1": 3}
    assert [(day.records, day.right) for day in feedback.by_day] == [(0, 0)] * 5 + [(1, 1), (2, 1)]
    assert find(folder, 8, created=NOON).summary.feedback.records == 4
    assert find(folder, 1, created=NOON).summary.feedback.records == 2


def test_another_version_is_compared_with_its_own_reference(folder: FolderStorage) -> None:
    publish(folder, "r2", reference=reference_frame(accuracy=0.5))
    put_feedback(folder, judged("a"), judged("b", version="r2"), judged("c", version="r2"))

    assert find(folder, created=NOON).summary.feedback.records == 2
    old = find(folder, version="r1", created=NOON).summary
    assert (old.version, old.feedback.records) == ("r1", 1)
    assert old.feedback.reference_accuracy == pytest.approx(0.9, abs=0.05)


def test_records_that_do_not_fit_their_version_are_broken(folder: FolderStorage) -> None:
    random = np.random.default_rng(0)
    put_feedback(
        folder,
        judged("a"),
        judged("b", "zebra"),
        judged("c", prediction="zebra"),
        judged("d", probabilities={"ant": 1.0}),
    )
    put_predictions(
        folder,
        [answered("e", random), answered("f", random, prediction="zebra"), answered("g", random, probabilities={})],
    )
    folder.write(f"feedback/date={TODAY}/z.json", b"{")
    folder.write(f"predictions/date={TODAY}/z.jsonl", b"{\n{\n")

    summary = find(folder, created=NOON).summary
    assert summary.feedback.records == 1
    assert summary.feedback.broken == tuple(f"feedback/date={TODAY}/{name}.json" for name in "zbcd")
    assert summary.feedback.broken_count == 4
    assert (summary.predictions.records, summary.predictions.broken_count) == (1, 4)


def test_at_most_twenty_broken_records_are_named(folder: FolderStorage) -> None:
    for number in range(25):
        folder.write(f"feedback/date={TODAY}/{number}.json", b"")
    feedback = find(folder, created=NOON).summary.feedback
    assert (len(feedback.broken), feedback.broken_count) == (20, 25)


def test_answers_are_counted_by_day_with_their_median_time(folder: FolderStorage) -> None:
    random = np.random.default_rng(0)
    times = [10.0, 20.0, 90.0]
    put_predictions(folder, (answered(f"{time}", random, milliseconds=time) for time in times))
    put_predictions(
        folder, [answered("y", random, time=YESTERDAY, milliseconds=5.0), answered("z", random, version="r0")]
    )

    by_day = find(folder, 2, created=NOON).summary.predictions.by_day
    assert [(day.records, day.median_milliseconds) for day in by_day] == [(1, 5.0), (3, 20.0)]


def test_the_rows_have_the_columns_of_the_reference(folder: FolderStorage) -> None:
    random = np.random.default_rng(0)
    entries = [answered(f"{number}", random) for number in range(3)]
    put_predictions(folder, entries)
    record = judged("a")
    put_feedback(folder, record)

    found = find(folder, created=NOON)
    expected = pd.DataFrame(entry.row() for entry in entries)
    pd.testing.assert_frame_equal(found.answered[list(expected)], expected, check_dtype=False)
    assert found.judged[columns()].iloc[0].to_dict() == {f"p_{label}": p for label, p in record.probabilities.items()}
    assert set(found.reference.table) - set(found.answered) == {"target"}


def test_a_model_without_projections_has_none(folder: FolderStorage) -> None:
    random = np.random.default_rng(0)
    put_predictions(folder, [answered("a", random, projection=()), answered("b", random)])
    frame = find(folder, created=NOON).answered
    assert frame["projection_0"].isna().tolist() == [True, False]


def drifting(folder: FolderStorage, *days: int, shift: float = 0.3) -> None:
    """Let pictures of these days before today be brighter."""
    random = np.random.default_rng(0)
    for day in days:
        time = NOON - timedelta(days=day)
        put_predictions(folder, (answered(f"{day}-{n}", random, shift=shift, time=time) for n in range(100)))


@pytest.mark.parametrize(
    ("bright", "normal", "expected"),
    [((), (0, 1, 2), 0), ((0, 1), (2,), 2), ((0, 2), (1,), 1), ((1,), (0,), 0), ((0, 3), (), 2), ((0, 1, 2), (), 3)],
    ids=["none", "two of three", "not in a row", "not the last", "days without pictures between", "all"],
)
def test_days_that_drifted_are_counted_back_from_the_last(
    folder: FolderStorage, bright: tuple[int, ...], normal: tuple[int, ...], expected: int
) -> None:
    drifting(folder, *bright)
    drifting(folder, *normal, shift=0.0)
    summary = find(folder, created=NOON).summary
    assert summary.days_drifted == expected
    assert summary.drift.drifted == bool(bright)


def test_labelled_pictures_count_from_when_the_version_was_made(folder: FolderStorage) -> None:
    made = NOON - timedelta(days=3)
    for day, name in ((made - timedelta(days=1), "a"), (NOON - timedelta(days=1), "b"), (NOON, "c")):
        folder.write(f"feedback/pictures/date={day:%Y-%m-%d}/{name}.jpg", b"")
    hour = timedelta(hours=1)
    put_feedback(folder, judged("d", answered=made - hour, picture="x"), judged("e", answered=made + hour, picture="x"))
    put_feedback(folder, judged("f", answered=made + hour))

    assert find(folder, 1, created=NOON).summary.pictures == 3


def test_a_time_of_wrong_answers_leads_to_training_again(folder: FolderStorage) -> None:
    put_feedback(folder, *(judged(f"{number}", "bee" if number % 3 else "ant") for number in range(60)))
    for number in range(60):
        folder.write(f"feedback/pictures/date={TODAY}/{number}.jpg", b"")
    decision = find(folder, created=NOON).summary.decision
    assert decision.retrain
    assert "20 of 60 judged answers were right" in decision.reasons[0]


def test_the_wilson_interval_is_that_of_the_books() -> None:
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson(0, 3) == pytest.approx((0, 0.5615), abs=1e-4)
    assert wilson(3, 3)[1] == 1


def test_an_unknown_version_or_none_is_told(folder: FolderStorage, tmp_path: Path) -> None:
    with pytest.raises(NoModel, match="has no version r9"):
        find(folder, version="r9")
    with pytest.raises(NoModel, match="No model is published"):
        find(FolderStorage(tmp_path / "empty"))


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (reference_frame().drop(columns=["target", "p_ant"]), "has no column p_ant, target"),
        (reference_frame().iloc[:0], "has no row"),
    ],
)
def test_a_reference_that_cannot_be_compared_with_is_told(
    folder: FolderStorage, reference: pd.DataFrame, message: str
) -> None:
    publish(folder, "r2", reference=reference)
    with pytest.raises(BrokenModel, match=message):
        find(folder)


def test_a_reference_that_is_no_table_is_told(folder: FolderStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pd.DataFrame, "to_parquet", lambda _, file, **__: file.write(b"no table"))
    publish(folder, "r2")
    with pytest.raises(BrokenModel, match=r"models/r2/reference.parquet in .* is no table"):
        find(folder)


def test_the_newest_report_is_found_again(folder: FolderStorage) -> None:
    assert read_latest(folder) is None
    put_feedback(folder, judged("a"))
    summary = find(folder, created=NOON).summary
    files = {"summary.json": summary.model_dump_json().encode()}
    place = store(folder, summary, files, latest=True)
    assert place.startswith("reports/20261124T120000Z-")
    assert folder.read(f"{place}summary.json").data == files["summary.json"]
    assert read_latest(folder) == summary
    store(folder, summary, {"summary.json": b"{}"}, latest=False)
    assert read_latest(folder) == summary
    folder.write(report.LATEST, b"{")
    with pytest.raises(BrokenRecords, match="Make a new report"):
        read_latest(folder)


def test_too_little_for_a_page_is_said_on_the_page(folder: FolderStorage) -> None:
    put_feedback(folder, judged("a"), judged("b", "bee"), judged("c", version="r<0>"))
    folder.write(f"feedback/date={TODAY}/<z>.json", b"{")
    files = {name: data.decode() for name, data in make_files(find(folder, created=NOON)).items()}
    assert list(files) == ["index.html", "performance.html", "drift.html", "summary.json"]
    assert "28 more are needed" in files["performance.html"]
    assert "1 of 2 judged answers were right: 50.0% (95% interval 9.5% to 90.5%)" in files["index.html"]
    assert "Too little to tell" in files["drift.html"]
    assert "1 of r&lt;0&gt;" in files["index.html"]
    assert "/&lt;z&gt;.json" in files["index.html"]


def test_answers_that_nobody_has_judged_make_a_report_too(folder: FolderStorage) -> None:
    random = np.random.default_rng(0)
    put_predictions(folder, (answered(f"{number}", random) for number in range(3)))
    folder.write(f"predictions/date={TODAY}/z.jsonl", b"{\n")
    files = {name: data.decode() for name, data in make_files(find(folder, 1, created=NOON)).items()}
    assert "Nobody has judged an answer yet; 30 judged answers make" in files["performance.html"]
    assert "What was answered today, by UTC." in files["index.html"]
    assert "Broken and left out: 1 lines of the log." in files["index.html"]


def test_it_says_how_many_of_how_many_the_plots_are_made_of() -> None:
    assert drawn(60, 60, "answers") == "Made of all 60 answers."
    assert drawn(5000, 101_000, "answers").startswith("Made of 5000 of the 101000 answers, drawn at random;")
