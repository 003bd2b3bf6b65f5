"""Evidently's two reports, each as one HTML page with the plots inside.

Importing Evidently takes ten seconds, so this module is imported where a page is wanted, and only there. Its own tests
are not used: they fail when something improves, and find drift where there is none; docs/design/reports.md tells more.
"""

import os
import warnings
from collections.abc import Sequence
from typing import Any, Final

import pandas as pd
from scipy import stats

from animals.features import FEATURES
from animals.monitoring.html import notes
from animals.monitoring.sampling import SAMPLE
from animals.monitoring.summary import Drift, FeatureDrift
from animals.records import probability_columns

os.environ["DO_NOT_TRACK"] = "1"  # Evidently looks when it is imported
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it uses what NumPy has given another name
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

CHANCE: Final = 0.01
"""How often the accuracy test may fail although nothing has changed."""

_SAID: Final = "what people said"
_ANSWERED: Final = "what was answered"

_NOBODY: Final = ("no first label", "no second label", "no third label")
"""With fewer than three labels Evidently asks for other figures, and fails where one of two does not occur."""


def performance_page(reference: pd.DataFrame, judged: pd.DataFrame, labels: Sequence[str], remarks: list[str]) -> str:
    """How right the judged answers were, beside those to the test pictures.

    Args:
        reference: with the columns target, prediction and `p_<label>`.
        judged: with the columns label, prediction and `p_<label>`; at least one row.
        labels: of the version.
        remarks: sentences that stand above all else.
    """
    shares = list(probability_columns(dict.fromkeys(labels)))
    nobody = dict.fromkeys(_NOBODY[len(labels) :], 0.0)
    # the columns that are needed alone: a label may be called as another one is
    current, before = (
        table[[said, "prediction", *shares]].set_axis([_SAID, _ANSWERED, *labels], axis=1).assign(**nobody)
        for table, said in ((judged, "label"), (reference, "target"))
    )
    numbers = [*labels, *nobody]
    task = MulticlassClassification(target=_SAID, prediction_labels=_ANSWERED, prediction_probas=numbers)
    names = [_SAID, _ANSWERED]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=names, classification=[task])
    columns = [*names, *numbers]
    accuracy = float((before[_SAID] == before[_ANSWERED]).mean())
    quality = ClassificationQuality(conf_matrix=True, accuracy_tests=[gte(lowest_accuracy(accuracy, len(current)))])
    if never := sorted(set(labels) - set(current[_SAID])):
        remarks = [*remarks, f"There is no ROC AUC (nan), since nobody named {', '.join(never)}."]
    return _page(Report([quality]), definition, current[columns], before[columns], remarks)


def lowest_accuracy(accuracy: float, records: int) -> float:
    """Below which so many answers are right significantly less often than this accuracy lets expect."""
    return float(stats.binom.ppf(CHANCE, records, accuracy)) / records


def drift_page(
    reference: pd.DataFrame, answered: pd.DataFrame, labels: Sequence[str], drift: Drift, remarks: list[str]
) -> str:
    """Whether the answers are complete and possible, and how they are distributed beside those to the test pictures.

    Args:
        reference: with the columns of `LoggedPrediction.row` that tell of picture and answer.
        answered: with the same columns; at least one row.
        labels: of the version.
        drift: what `detect_drift` found, which the plots are marked with.
        remarks: sentences that stand above all else.
    """
    shares = list(probability_columns(dict.fromkeys(labels)))
    numbers = [name for name in ("confidence", *shares, *FEATURES) if name in reference and name in answered]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=["prediction"])
    columns = ["prediction", *numbers]
    metrics = [*_drifts(columns, drift), *_quality(columns, labels, len(answered))]
    return _page(Report(metrics, include_tests=True), definition, answered[columns], reference[columns], remarks)


def _quality(columns: list[str], labels: Sequence[str], rows: int) -> list[Any]:
    shares = [name for name in columns if name in ("confidence", "brightness", "contrast")]
    return [
        RowCount(tests=[eq(rows)]),
        DatasetMissingValueCount(tests=[eq(0)]),
        InListValueCount(column="prediction", values=list(labels), tests=[eq(rows)]),
        *(InRangeValueCount(column=name, left=0, right=1, tests=[eq(rows)]) for name in shares),
    ]


def _drifts(columns: list[str], drift: Drift) -> list[ValueDrift]:
    found = {feature.feature: feature for feature in drift.features}
    for feature in drift.features:
        _register(feature)
    metrics = []
    for name in columns:
        test = found.get("probabilities" if name.startswith("p_") else name)
        if test is not None:
            # all probabilities are one test, which is listed above: not again for each of them
            listed: dict[str, Any] = {} if test.feature == name else {"tests": []}
            metrics.append(ValueDrift(column=name, method=_method(test), threshold=test.threshold, **listed))
    return metrics


def _method(feature: FeatureDrift) -> str:
    return f"animals: {feature.feature}"


def _register(feature: FeatureDrift) -> None:
    """Let Evidently know a test that gives what was found already: both of the size and of the chance."""
    together = ", of all probabilities together" if feature.feature == "probabilities" else ""
    test = StatTest(
        name=_method(feature),
        display_name=f"{feature.test}{together}",
        allowed_feature_types=[ColumnType.Numerical, ColumnType.Categorical],
        default_threshold=feature.threshold,
    )
    register_stattest(test)
    add_stattest_impl(test, PythonEngine, create_impl_wrapper(lambda *_: (feature.statistic, feature.drifted)))


def _page(
    report: Report, definition: DataDefinition, current: pd.DataFrame, reference: pd.DataFrame, remarks: list[str]
) -> str:
    before = reference if len(reference) <= SAMPLE else reference.sample(SAMPLE, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of NumPy and scikit-learn, about labels that nobody named
        found = report.run(
            Dataset.from_pandas(current.reset_index(drop=True), definition),
            Dataset.from_pandas(before.reset_index(drop=True), definition),
        )
        page: str = found.get_html_str(as_iframe=False)
    return page.replace("<body>", f"<body>\n{notes(remarks)}", 1)
