"""Whether what is asked now looks like the pictures that the version was tested on, as docs/design/drift.md explains.

Each test says two things: by how much two tables differ, in a unit that a person can judge, and how likely such a
difference is by chance. Only what is both large and no chance counts, so that a million pictures do not make a trifle
an alarm, and a hundred do not make one of noise.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from animals.features import FEATURES
from animals.monitoring.summary import Drift, FeatureDrift
from animals.records import Record, probability_columns

Values = NDArray[np.float64]

EXPECTED: Final = 5
"""Answers that a label should have in either table to be counted by itself: the chi-squared test's usual rule."""

FAR: Final = 5.0
"""Standard deviations beyond which a value counts as that far: means of heavy tails would be chance."""

ROWS_PER_COLUMN: Final = 3
"""Rows that a test of several columns at once needs for each of them."""


class Limits(Record):
    """What counts as drift; the defaults were chosen by profiling/monitoring/drift_experiment.py."""

    rows: int = 50
    """Different pictures that either table needs."""
    chance: float = 0.001
    """How often all tests together may find such a difference where there is none."""
    labels: float = 0.15
    """Share of the answers that would have to be another label."""
    confidence: float = 0.03
    """By which an answer's confidence moved, in the mean."""
    feature: float = 0.2
    """Of a picture's feature: the largest share by which more pictures now lie below some value, or fewer."""
    together: float = 0.6
    """Of several columns at once: how often a picture of now can be told from one of the reference; 0.5 by chance."""


DEFAULTS: Final = Limits()


class Difference(NamedTuple):
    """What a test finds."""

    size: float
    """How large it is, in the test's unit."""
    chance: float
    """How likely it would be at least that large if there were none."""


class _Test(NamedTuple):
    feature: str
    columns: list[str]
    name: str
    difference: Callable[[pd.DataFrame, pd.DataFrame], Difference]
    limit: float


def detect_drift(
    reference: pd.DataFrame, current: pd.DataFrame, labels: Sequence[str], limits: Limits = DEFAULTS
) -> Drift:
    """Compare what is asked now with what the version was tested on.

    Args:
        reference: the version's `reference.parquet`.
        current: rows of the prediction log (`LoggedPrediction.row`), of that version. Rows that repeat a picture count
            once: somebody who sends the same one a thousand times is no drift.
        labels: of the version.
        limits: what counts as drift.
    """
    current = _different(current)
    found = [
        (test, test.difference(*tables))
        for test in _tests(labels, reference, limits)
        if (tables := _complete(reference, current, test.columns, limits.rows))
    ]
    if not found:
        return Drift(checked=False, drifted=False, reason=_too_few(reference, current, limits))
    features = tuple(_judge(test, difference, limits.chance / len(found)) for test, difference in found)
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


def _different(current: pd.DataFrame) -> pd.DataFrame:
    """Each picture once: the features of two that differ are never the same to six digits."""
    known = [column for column in (*FEATURES, "width", "height") if column in current]
    return current.drop_duplicates(known) if known else current


def _complete(
    reference: pd.DataFrame, current: pd.DataFrame, columns: list[str], rows: int
) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """The rows in which nothing is missing; None if there are too few, or no such column."""
    if any(column not in table for table in (reference, current) for column in columns):
        return None
    tables = reference[columns].dropna(), current[columns].dropna()
    enough = max(rows, ROWS_PER_COLUMN * len(columns))
    return tables if min(map(len, tables)) >= enough else None


def _judge(test: _Test, difference: Difference, chance: float) -> FeatureDrift:
    return FeatureDrift(
        feature=test.feature,
        test=test.name,
        statistic=difference.size,
        threshold=test.limit,
        p_value=difference.chance,
        drifted=difference.size >= test.limit and difference.chance < chance,
    )


def _reason(features: Sequence[FeatureDrift], pictures: int) -> str:
    drifted = [feature.feature for feature in features if feature.drifted]
    if not drifted:
        return f"{pictures} pictures look like those that the version was tested on."
    return f"{pictures} pictures differ from those that the version was tested on, in {', '.join(drifted)}."


def _too_few(reference: pd.DataFrame, current: pd.DataFrame, limits: Limits) -> str:
    return (
        f"Too little to tell: of different pictures there are {len(current)} now and {len(reference)} in the "
        f"reference, and {limits.rows} of each are needed."
    )


def _labels_differ(reference: pd.DataFrame, current: pd.DataFrame) -> Difference:
    """Share of the answers that would have to be another label, and a chi-squared test of the counts."""
    counts = pd.concat([table["prediction"].value_counts() for table in (reference, current)], axis=1).fillna(0)
    table = counts.to_numpy(np.float64).T
    size = float(np.abs(np.diff(table / table.sum(1, keepdims=True), axis=0)).sum() / 2)
    rare = stats.contingency.expected_freq(table).min(0) < EXPECTED
    table = np.column_stack([table[:, ~rare], table[:, rare].sum(1)])
    table = table[:, table.sum(0) > 0]
    one_label = table.shape[1] == 1
    return Difference(size, 1.0 if one_label else float(stats.chi2_contingency(table, correction=False).pvalue))


def _confidence_differs(reference: pd.DataFrame, current: pd.DataFrame) -> Difference:
    """In whole per cent: for the test, a hair between 0.999999 and 1, such as that of the log, would be a step."""
    before, now = (table["confidence"].to_numpy(np.float64).round(2) for table in (reference, current))
    return Difference(float(stats.wasserstein_distance(before, now)), _kolmogorov_smirnov(before, now).chance)


def _feature_differs(reference: pd.DataFrame, current: pd.DataFrame) -> Difference:
    before, now = (table.iloc[:, 0].to_numpy(np.float64) for table in (reference, current))
    return _kolmogorov_smirnov(before, now)


def _kolmogorov_smirnov(before: Values, now: Values) -> Difference:
    found = stats.ks_2samp(before, now, method="asymp")
    return Difference(float(found.statistic), float(found.pvalue))


def _probabilities_differ(reference: pd.DataFrame, current: pd.DataFrame) -> Difference:
    """Of their roots, which spread alike wherever they lie between 0 and 1."""
    before, now = (np.sqrt(table.to_numpy(np.float64)) for table in (reference, current))
    return _apart(before, now)


def _projections_differ(reference: pd.DataFrame, current: pd.DataFrame) -> Difference:
    """With their squares, so that a wider or narrower spread around the same mean is seen too."""
    before, now = (table.to_numpy(np.float64) for table in (reference, current))
    mean, spread = before.mean(0), before.std(0)
    spread[spread == 0] = 1
    before, now = (((table - mean) / spread).clip(-FAR, FAR) for table in (before, now))
    return _apart(np.hstack([before, before**2]), np.hstack([now, now**2]))


def _apart(before: Values, now: Values) -> Difference:
    """How well the best line between two clouds tells them apart, and Hotelling's test of their means.

    Args:
        before: shape (rows, columns).
        now: shape (other rows, the same columns).

    Returns:
        The area under the ROC curve of the linear discriminant, without what it gains by having been fitted to the
        same rows, and the chance.
    """
    (n, columns), m = before.shape, len(now)
    free = n + m - 2
    shift = now.mean(0) - before.mean(0)
    within = ((n - 1) * np.cov(before.T) + (m - 1) * np.cov(now.T)) / free
    values, directions = np.linalg.eigh(within)
    kept = values > values.max() * columns * np.finfo(np.float64).eps * 100  # shares sum to 1: no spread in one
    if not kept.any():
        return Difference(0.5, 1.0)  # the network answers everything alike
    distance = float(np.sum((shift @ directions[:, kept]) ** 2 / values[kept]))
    k = int(kept.sum())
    harmonic = n * m / (n + m)
    chance = float(stats.f.sf(harmonic * distance * (free - k + 1) / (k * free), k, free - k + 1))
    unbiased = max(0.0, distance * (free - k - 1) / free - k / harmonic)
    return Difference(float(stats.norm.cdf(np.sqrt(unbiased / 2))), chance)
