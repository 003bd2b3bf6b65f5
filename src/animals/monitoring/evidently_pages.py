"""Evidently's two reports, each as one HTML page that contains its plots.

Import this module only to make a page: importing Evidently takes ten seconds. Its own tests are not used, because they
fail when something improves and find drift where there is none (docs/design/reports.md).
"""

import os
import warnings
from collections.abc import Sequence
from typing import Any, Final

import pandas as pd
from scipy import stats

from animals.api import Drift, FeatureDrift
from animals.features import FEATURES
from animals.monitoring.html import notes
from animals.monitoring.tables import SAMPLE_ROWS
from animals.records import probability_columns

os.environ["DO_NOT_TRACK"] = "1"  # Evidently reads it at import
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it uses names that NumPy deprecated
    from evidently import DataDefinition, Dataset, MulticlassClassification, Report
    from evidently.legacy.calculation_engine.python_engine import PythonEngine
    from evidently.legacy.calculations.stattests.registry import (
        StatTest,
        add_stattest_impl,
        create_impl_wrapper,
        register_stattest,
    )
    from evidently.legacy.core import ColumnType
    from evidently.metrics import DatasetMissingValueCount, InListValueCount, InRangeValueCount, RowCount, ValueDrift
    from evidently.presets import ClassificationQuality
    from evidently.tests import eq, gte

SIGNIFICANCE: Final = 0.01
"""Probability that the accuracy test fails although nothing changed."""

_TARGET: Final = "label by feedback"
_PREDICTION: Final = "predicted label"

_PADDING: Final = ("no first label", "no second label", "no third label")
"""Labels that never occur. With fewer than three labels Evidently expects other columns, and fails if one of two labels
does not occur."""


def performance_page(reference: pd.DataFrame, feedback: pd.DataFrame, labels: Sequence[str], remarks: list[str]) -> str:
    """Return a page that compares the accuracy on feedback with the accuracy on the test pictures.

    Both tables have the columns prediction and `p_<label>`; the right label is `target` in the reference and `label` in
    the feedback, which has at least one row. The remarks are at the top of the page.
    """
    shares = list(probability_columns(dict.fromkeys(labels)))
    padding = dict.fromkeys(_PADDING[len(labels) :], 0.0)
    # only these columns: others may have the same name as a label
    current, before = (
        table[[target, "prediction", *shares]].set_axis([_TARGET, _PREDICTION, *labels], axis=1).assign(**padding)
        for table, target in ((feedback, "label"), (reference, "target"))
    )
    numbers = [*labels, *padding]
    task = MulticlassClassification(target=_TARGET, prediction_labels=_PREDICTION, prediction_probas=numbers)
    names = [_TARGET, _PREDICTION]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=names, classification=[task])
    columns = [*names, *numbers]
    accuracy = float((before[_TARGET] == before[_PREDICTION]).mean())
    quality = ClassificationQuality(conf_matrix=True, accuracy_tests=[gte(lowest_accuracy(accuracy, len(current)))])
    if missing := sorted(set(labels) - set(current[_TARGET])):
        remarks = [*remarks, f"There is no ROC AUC (nan): no feedback names {', '.join(missing)}."]
    return _page(Report([quality]), definition, current[columns], before[columns], remarks)


def lowest_accuracy(accuracy: float, records: int) -> float:
    """Return the accuracy below which this number of records is significantly worse."""
    return float(stats.binom.ppf(SIGNIFICANCE, records, accuracy)) / records


def drift_page(
    reference: pd.DataFrame, predictions: pd.DataFrame, labels: Sequence[str], drift: Drift, remarks: list[str]
) -> str:
    """Return a page on data quality, and on the distribution of the predictions compared with the test pictures.

    Both tables have the columns of a version's reference that describe picture and prediction; there is at least one
    prediction. The plots show the given drift.
    """
    shares = list(probability_columns(dict.fromkeys(labels)))
    numbers = [name for name in ("confidence", *shares, *FEATURES) if name in reference and name in predictions]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=["prediction"])
    columns = ["prediction", *numbers]
    metrics = [*_drifts(columns, drift), *_quality(columns, labels, len(predictions))]
    return _page(Report(metrics, include_tests=True), definition, predictions[columns], reference[columns], remarks)


def _quality(columns: list[str], labels: Sequence[str], rows: int) -> list[Any]:
    shares = [name for name in columns if name in ("confidence", "brightness", "contrast")]
    return [
        RowCount(tests=[eq(rows)]),
        DatasetMissingValueCount(tests=[eq(0)]),
        InListValueCount(column="prediction", values=list(labels), tests=[eq(rows)]),
        *(InRangeValueCount(column=name, left=0, right=1, tests=[eq(rows)]) for name in shares),
    ]


def _drifts(columns: list[str], drift: Drift) -> list[ValueDrift]:
    tests = {feature.feature: feature for feature in drift.features}
    for feature in drift.features:
        _register(feature)
    metrics = []
    for name in columns:
        test = tests.get("probabilities" if name.startswith("p_") else name)
        if test is not None:
            # one test covers all probabilities: list it only once
            listed: dict[str, Any] = {} if test.feature == name else {"tests": []}
            metrics.append(
                ValueDrift(column=name, method=f"animals: {test.feature}", threshold=test.threshold, **listed)
            )
    return metrics


def _register(feature: FeatureDrift) -> None:
    """Register a test with Evidently that returns a result of ours."""
    suffix = ", of all probabilities together" if feature.feature == "probabilities" else ""
    test = StatTest(
        name=f"animals: {feature.feature}",
        display_name=f"{feature.test}{suffix}",
        allowed_feature_types=[ColumnType.Numerical, ColumnType.Categorical],
        default_threshold=feature.threshold,
    )
    register_stattest(test)
    add_stattest_impl(test, PythonEngine, create_impl_wrapper(lambda *_: (feature.statistic, feature.drifted)))


def _page(
    report: Report, definition: DataDefinition, current: pd.DataFrame, reference: pd.DataFrame, remarks: list[str]
) -> str:
    before = reference if len(reference) <= SAMPLE_ROWS else reference.sample(SAMPLE_ROWS, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of NumPy and scikit-learn, about labels without feedback
        result = report.run(
            Dataset.from_pandas(current.reset_index(drop=True), definition),
            Dataset.from_pandas(before.reset_index(drop=True), definition),
        )
        page: str = result.get_html_str(as_iframe=False)
    return page.replace("<body>", f"<body>\n{notes(remarks)}", 1)
