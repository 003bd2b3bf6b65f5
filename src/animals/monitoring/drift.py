"""Drift detection: recent predictions are compared with those for the test pictures (docs/design/drift.md).

Each test gives an effect size, in a unit that a person can interpret, and a p-value. Drift must be both large and
significant: among a million pictures any small difference is significant, among a hundred noise can be large.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from animals.api import Drift, FeatureDrift
from animals.features import FEATURES
from animals.records import Record, probability_columns

Values = NDArray[np.float64]

EXPECTED: Final = 5
"""Expected count of a label in each table, below which rare labels are counted together: the usual rule of the
chi-squared test."""

CLIP: Final = 5.0
"""Standard deviations at which values are clipped, so that outliers do not determine the mean."""

ROWS_PER_COLUMN: Final = 3
"""Rows per column needed for a test of several columns at once."""


class Limits(Record):
    """Limits beyond which a difference counts as drift; chosen with profiling/monitoring/drift_experiment.py."""

    rows: int = 50
    """Distinct pictures needed in each table."""
    chance: float = 0.001
    """Significance level of all tests together."""
    labels: float = 0.15
    """Total variation distance of the shares of the labels."""
    confidence: float = 0.03
    """Wasserstein distance of the confidence."""
    feature: float = 0.2
    """Kolmogorov-Smirnov statistic of a picture feature."""
    together: float = 0.6
    """AUC of a linear discriminant between the reference and recent pictures; 0.5 without drift."""


DEFAULTS: Final = Limits()


class Difference(NamedTuple):
    """The result of a test."""

    size: float
    """Effect size, in the test's unit."""
    p_value: float


class _Test(NamedTuple):
    feature: str
    columns: list[str]
    name: str
    measure: Callable[[pd.DataFrame, pd.DataFrame], Difference]
    limit: float


def detect_drift(
    reference: pd.DataFrame, current: pd.DataFrame, labels: Sequence[str], limits: Limits = DEFAULTS
) -> Drift:
    """Compare recent predictions of a version with its `reference.parquet`.

    Repeated pictures count once: a client that sends the same picture a thousand times is not drift.
    """
    current = _distinct(current)
    results = [
        (test, test.measure(*tables))
        for test in _tests(labels, reference, limits)
        if (tables := _complete_rows(reference, current, test.columns, limits.rows))
    ]
    if not results:
        return Drift(checked=False, drifted=False, reason=_too_few(reference, current, limits))
    features = tuple(_feature_drift(test, difference, limits.chance / len(results)) for test, difference in results)
    return Drift(
        checked=True,
        drifted=any(feature.drifted for feature in features),
        reason=_reason(features, len(current)),
        features=features,
    )


def _tests(labels: Sequence[str], reference: pd.DataFrame, limits: Limits) -> Iterator[_Test]:
    yield _Test("prediction", ["prediction"], "chi-squared, total variation", _labels_differ, limits.labels)
    yield _Test("confidence", ["confidence"], "Kolmogorov-Smirnov, Wasserstein", _confidence_differs, limits.confidence)
    shares = list(probability_columns(dict.fromkeys(labels)))
    yield _Test("probabilities", shares, "Hotelling, AUC", _probabilities_differ, limits.together)
    for feature in FEATURES:
        yield _Test(feature, [feature], "Kolmogorov-Smirnov", _feature_differs, limits.feature)
    if projection := [column for column in map(str, reference) if column.startswith("projection_")]:
        yield _Test("projection", projection, "Hotelling, AUC", _projections_differ, limits.together)


def _distinct(current: pd.DataFrame) -> pd.DataFrame:
    """Return each picture once: no two different pictures have the same features to six digits."""
    known = [column for column in (*FEATURES, "width", "height") if column in current]
    return current.drop_duplicates(known) if known else current


def _complete_rows(
    reference: pd.DataFrame, current: pd.DataFrame, columns: list[str], rows: int
) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """Return the rows without missing values; None if there are too few, or no such column."""
    if any(column not in table for table in (reference, current) for column in columns):
        return None
    tables = reference[columns].dropna(), current[columns].dropna()
    enough = max(rows, ROWS_PER_COLUMN * len(columns))
    return tables if min(map(len, tables)) >= enough else None


def _feature_drift(test: _Test, difference: Difference, level: float) -> FeatureDrift:
    return FeatureDrift(
        feature=test.feature,
        test=test.name,
        statistic=difference.size,
        threshold=test.limit,
        p_value=difference.p_value,
        drifted=difference.size >= test.limit and difference.p_value < level,
    )


def _reason(features: Sequence[FeatureDrift], pictures: int) -> str:
    drifted = [feature.feature for feature in features if feature.drifted]
    if not drifted:
        return f"{pictures} pictures show no drift from the test pictures."
    return f"{pictures} pictures drifted from the test pictures, in {', '.join(drifted)}."


def _too_few(reference: pd.DataFrame, current: pd.DataFrame, limits: Limits) -> str:
    return (
        f"Too few pictures to check for drift: there are {len(current)} distinct ones now and {len(reference)} in the "
        f"reference; {limits.rows} of each are needed."
    )


def _labels_differ(reference: pd.DataFrame, current: pd.DataFrame) -> Difference:
    """Return the total variation distance of the labels, and the p-value of a chi-squared test of the counts."""
    counts = pd.concat([table["prediction"].value_counts() for table in (reference, current)], axis=1).fillna(0)
    table = counts.to_numpy(np.float64).T
    size = float(np.abs(np.diff(table / table.sum(1, keepdims=True), axis=0)).sum() / 2)
    rare = stats.contingency.expected_freq(table).min(0) < EXPECTED
    table = np.column_stack([table[:, ~rare], table[:, rare].sum(1)])
    table = table[:, table.sum(0) > 0]
    one_label = table.shape[1] == 1
    return Difference(size, 1.0 if one_label else float(stats.chi2_contingency(table, correction=False).pvalue))


def _confidence_differs(reference: pd.DataFrame, current: pd.DataFrame) -> Difference:
    # in whole per cent: the log rounds 0.999999 to 1, which the test would count as a difference
    before, now = (table["confidence"].to_numpy(np.float64).round(2) for table in (reference, current))
    return Difference(float(stats.wasserstein_distance(before, now)), _kolmogorov_smirnov(before, now).p_value)


def _feature_differs(reference: pd.DataFrame, current: pd.DataFrame) -> Difference:
    before, now = (table.iloc[:, 0].to_numpy(np.float64) for table in (reference, current))
    return _kolmogorov_smirnov(before, now)


def _kolmogorov_smirnov(before: Values, now: Values) -> Difference:
    result = stats.ks_2samp(before, now, method="asymp")
    return Difference(float(result.statistic), float(result.pvalue))


def _probabilities_differ(reference: pd.DataFrame, current: pd.DataFrame) -> Difference:
    # square roots have about the same variance everywhere between 0 and 1
    before, now = (np.sqrt(table.to_numpy(np.float64)) for table in (reference, current))
    return _separate(before, now)


def _projections_differ(reference: pd.DataFrame, current: pd.DataFrame) -> Difference:
    # with their squares, so that a different variance around the same mean is found too
    before, now = (table.to_numpy(np.float64) for table in (reference, current))
    mean, spread = before.mean(0), before.std(0)
    spread[spread == 0] = 1
    before, now = (((table - mean) / spread).clip(-CLIP, CLIP) for table in (before, now))
    return _separate(np.hstack([before, before**2]), np.hstack([now, now**2]))


def _separate(before: Values, now: Values) -> Difference:
    """Return how well a linear discriminant separates two tables, and the p-value of Hotelling's test of their means.

    The tables have shape (rows, columns). The size is the area under the ROC curve of the discriminant, corrected for
    having been fitted to the same rows.
    """
    (n, columns), m = before.shape, len(now)
    free = n + m - 2
    shift = now.mean(0) - before.mean(0)
    within = ((n - 1) * np.cov(before.T) + (m - 1) * np.cov(now.T)) / free
    values, directions = np.linalg.eigh(within)
    kept = (
        values > values.max() * columns * np.finfo(np.float64).eps * 100
    )  # probabilities sum to 1, so that one direction has no variance
    if not kept.any():
        return Difference(0.5, 1.0)  # all predictions are the same
    distance = float(np.sum((shift @ directions[:, kept]) ** 2 / values[kept]))
    k = int(kept.sum())
    harmonic = n * m / (n + m)
    p_value = float(stats.f.sf(harmonic * distance * (free - k + 1) / (k * free), k, free - k + 1))
    unbiased = max(0.0, distance * (free - k - 1) / free - k / harmonic)
    return Difference(float(stats.norm.cdf(np.sqrt(unbiased / 2))), p_value)
