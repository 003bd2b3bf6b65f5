"""Evidently's pages for any number of records: Evidently itself fails for many of them."""

import os
import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from animals.monitoring.drift import detect_drift
from animals.monitoring.evidently_pages import drift_page, lowest_accuracy, performance_page
from animals.monitoring.tables import SAMPLE_ROWS
from tests.support.records import LABELS, make_feedback, make_prediction, make_probabilities, reference_frame, row

REFERENCE = reference_frame()


def feedback_rows(count: int, labels: Sequence[str] = LABELS, wrong: float = 0.1) -> pd.DataFrame:
    random = np.random.default_rng(count)
    rows = []
    for number in range(count):
        prediction = labels[number % len(labels)]
        label = str(random.choice(labels)) if random.random() < wrong else prediction
        probabilities = make_probabilities(random, prediction, LABELS)
        record = make_feedback(str(number), label, prediction=prediction, probabilities=probabilities)
        rows.append(row(record))
    return pd.DataFrame(rows)


def prediction_rows(count: int, shift: float = 0.0, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return pd.DataFrame(row(make_prediction(str(number), random, shift=shift)) for number in range(count))


def whole(page: str, *words: str) -> bool:
    """Return whether it is a page that contains its plots and these words."""
    return page.rstrip().endswith("</html>") and len(page) > 3_000_000 and all(word in page for word in words)


def test_a_performance_page_is_made_of_any_number_of_feedback_records_on_any_labels() -> None:
    for count in range(1, 51):
        labels = LABELS[: 1 + count % len(LABELS)]
        assert whole(performance_page(REFERENCE, feedback_rows(count, labels), LABELS, ["remark"]), "<p>remark</p>"), (
            count
        )


def test_a_drift_page_is_made_of_any_number_of_predictions() -> None:
    for count in [*range(1, 51, 7), 50, 60]:
        current = prediction_rows(count)
        drift = detect_drift(REFERENCE, current, LABELS)
        assert whole(drift_page(REFERENCE, current, LABELS, drift, ["remark"]), "<p>remark</p>"), count


@pytest.mark.parametrize(
    ("labels", "said"),
    [(LABELS[:1], LABELS[:1]), (LABELS[:2], LABELS[:2]), (LABELS[:2], LABELS[:1]), (LABELS[:2], LABELS[1:2])],
    ids=["one", "two", "the first of two", "the second of two"],
)
def test_a_version_may_have_few_labels(labels: tuple[str, ...], said: tuple[str, ...]) -> None:
    reference = feedback_rows(60, labels).rename(columns={"label": "target"})
    assert whole(performance_page(reference, feedback_rows(40, said), labels, []))


def test_labels_may_be_called_as_columns_are() -> None:
    names = dict(zip(LABELS, ("label", "prediction", "confidence", "feedback"), strict=True))
    renamed = {f"p_{old}": f"p_{new}" for old, new in names.items()}
    tables = [table.replace(names).rename(columns=renamed) for table in (REFERENCE, feedback_rows(40))]
    assert whole(performance_page(tables[0], tables[1], list(names.values()), []))


def states_of(page: str) -> dict[str, str]:
    found = re.findall(r'"title": ?"([^"]+)"[^{}]*"state": ?"(\w+)"', page)
    return dict(found)


def test_the_accuracy_fails_only_when_it_is_significantly_lower() -> None:
    right = states_of(performance_page(REFERENCE, feedback_rows(100, wrong=0.05), LABELS, []))
    wrong = states_of(performance_page(REFERENCE, feedback_rows(100, wrong=0.6), LABELS, []))
    perfect = states_of(performance_page(REFERENCE, feedback_rows(100, wrong=0), LABELS, []))
    for found, state in ((right, "success"), (wrong, "fail"), (perfect, "success")):
        assert [value for name, value in found.items() if "Accuracy" in name] == [state], found


def test_the_lowest_accuracy_is_nearer_the_more_records_there_are() -> None:
    bounds = [lowest_accuracy(0.9, records) for records in (30, 300, 3000)]
    assert bounds == pytest.approx([0.767, 0.857, 0.887], abs=0.001)


def test_the_plots_show_the_results_of_our_tests() -> None:
    current = prediction_rows(200, shift=0.3)
    drift = detect_drift(REFERENCE, current, LABELS)
    found = states_of(drift_page(REFERENCE, current, LABELS, drift, []))
    drifted = {feature.feature for feature in drift.features if feature.drifted}
    assert "brightness" in drifted
    marked = {name.rpartition(" ")[2]: state for name, state in found.items() if "Drift" in name}
    assert {name for name, state in marked.items() if state == "fail"} == drifted & set(marked)
    assert {"prediction", "confidence", "brightness", "contrast", "sharpness"} <= set(marked)


def test_an_undrifted_table_fails_no_test() -> None:
    for seed in range(5):
        current = prediction_rows(200, seed=seed + 10)
        drift = detect_drift(REFERENCE, current, LABELS)
        found = states_of(drift_page(REFERENCE, current, LABELS, drift, []))
        assert found
        assert set(found.values()) == {"success"}, found


def test_impossible_values_fail() -> None:
    current = prediction_rows(60).assign(brightness=1.5)
    current.loc[0, "sharpness"] = np.nan
    drift = detect_drift(REFERENCE, current, LABELS)
    found = states_of(drift_page(REFERENCE, current, LABELS, drift, []))
    failed = {name for name, state in found.items() if state == "fail"}
    assert any("'brightness' values in range" in name for name in failed)
    assert any("missing values" in name for name in failed)


def test_a_missing_roc_auc_is_explained() -> None:
    assert "no feedback names cat, dog" in performance_page(REFERENCE, feedback_rows(40, LABELS[:2]), LABELS, [])
    assert "no feedback names" not in performance_page(REFERENCE, feedback_rows(40), LABELS, [])


def test_a_large_reference_is_sampled() -> None:
    large = pd.concat([REFERENCE] * 15, ignore_index=True)
    assert len(large) > SAMPLE_ROWS
    assert whole(performance_page(large, feedback_rows(40), LABELS, []))


def test_evidently_sends_no_telemetry() -> None:
    assert os.environ["DO_NOT_TRACK"] == "1"
