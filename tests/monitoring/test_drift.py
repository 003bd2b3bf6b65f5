"""Drift is drift where there is some that matters, and only there."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from animals.api import Drift
from animals.features import FEATURES
from animals.monitoring.drift import Limits, detect_drift

LABELS = ("cat", "dog", "cow", "hen")
DIMENSIONS = 4
CENTRES = np.random.default_rng(0).normal(0, 3, (len(LABELS), DIMENSIONS))

Change = Callable[[pd.DataFrame], pd.DataFrame]


def table(rows: int, seed: int, mix: tuple[float, ...] = (0.25, 0.25, 0.25, 0.25)) -> pd.DataFrame:
    """Answers of a model that sees each label as a cloud of its own, to pictures drawn by chance."""
    rng = np.random.default_rng(seed)
    targets = rng.choice(len(LABELS), rows, p=mix)
    projection = CENTRES[targets] + rng.normal(0, 1, (rows, DIMENSIONS))
    logits = -((projection[:, None] - CENTRES) ** 2).sum(2) / 8
    shares = np.exp(logits - logits.max(1, keepdims=True))
    shares /= shares.sum(1, keepdims=True)
    return pd.DataFrame(
        {
            "prediction": np.array(LABELS)[shares.argmax(1)],
            "confidence": shares.max(1),
            **{f"p_{label}": shares[:, number] for number, label in enumerate(LABELS)},
            "brightness": rng.beta(6, 4, rows),
            "contrast": rng.gamma(9, 0.02, rows),
            "sharpness": rng.gamma(9, 0.02, rows),
            "width": rng.choice([300, 320], rows),
            "height": 225,
            **{f"projection_{number}": projection[:, number] for number in range(DIMENSIONS)},
        }
    )


REFERENCE = table(400, seed=1)


def detected(current: pd.DataFrame, reference: pd.DataFrame = REFERENCE) -> Drift:
    return detect_drift(reference, current, LABELS)


def drifted(drift: Drift) -> set[str]:
    return {feature.feature for feature in drift.features if feature.drifted}


@pytest.mark.parametrize("rows", [50, 100, 400])
def test_weeks_without_drift_raise_no_alarm(rows: int) -> None:
    alarms = [seed for seed in range(100, 150) if detected(table(rows, seed)).drifted]
    assert len(alarms) <= 1  # the limit on chance is one in a thousand


def test_a_small_difference_is_no_drift_however_many_pictures_show_it() -> None:
    reference, current = table(100_000, seed=2), table(100_000, seed=3, mix=(0.27, 0.24, 0.25, 0.24))
    for column in (*FEATURES, *(f"projection_{number}" for number in range(DIMENSIONS))):
        current[column] += 0.05 * reference[column].std()
    drift = detected(current, reference)
    assert not drift.drifted
    assert min(feature.p_value for feature in drift.features) < 1e-9  # but it is significant


def shifted(column: str, deviations: float) -> Change:
    return lambda rows: rows.assign(**{column: rows[column] + deviations * REFERENCE[column].std()})


def unsure(rows: pd.DataFrame) -> pd.DataFrame:
    shares = [f"p_{label}" for label in LABELS]
    softer = rows[shares] ** 0.3
    softer = softer.div(softer.sum(axis=1), axis=0)
    return rows.assign(**softer, confidence=softer.max(axis=1))


def spread(rows: pd.DataFrame) -> pd.DataFrame:
    """Around the same mean."""
    wider = {f"projection_{number}": rows[f"projection_{number}"] for number in range(DIMENSIONS)}
    return rows.assign(**{name: values.mean() + 2 * (values - values.mean()) for name, values in wider.items()})


@pytest.mark.parametrize(
    ("change", "features"),
    [
        (shifted("brightness", -0.8), {"brightness"}),
        (shifted("contrast", 0.8), {"contrast"}),
        (shifted("sharpness", -0.8), {"sharpness"}),
        (shifted("projection_2", 1.5), {"projection"}),
        (spread, {"projection"}),
        (unsure, {"confidence", "probabilities"}),
        (lambda _: table(300, seed=5, mix=(0.55, 0.15, 0.15, 0.15)), {"prediction"}),
        (lambda _: table(300, seed=5, mix=(0.5, 0.5, 0, 0)), {"prediction", "probabilities", "projection"}),
    ],
    ids=["darker", "contrast", "blurred", "elsewhere", "wider", "unsure", "more of one", "two labels missing"],
)
def test_what_differs_is_named(change: Change, features: set[str]) -> None:
    drift = detected(change(table(300, seed=4)))
    assert drift.checked
    assert drift.drifted
    assert drifted(drift) >= features
    assert drifted(drift) & set(FEATURES) <= features
    for feature in drift.features:
        assert (feature.feature in drift.reason) == feature.drifted
        assert feature.statistic >= feature.threshold or not feature.drifted


def test_a_tiny_change_of_confidence_is_no_drift() -> None:
    sure = REFERENCE.assign(confidence=1 - np.random.default_rng(0).uniform(0, 1e-4, len(REFERENCE)))
    assert not detected(sure.assign(confidence=(sure["confidence"] - 1e-4).round(6)), sure).drifted


@pytest.mark.parametrize(("now", "before"), [(0, 400), (49, 400), (400, 49), (400, 0)])
def test_too_few_pictures_are_not_checked(now: int, before: int) -> None:
    drift = detected(shifted("brightness", 9)(table(now, seed=4)), table(before, seed=1))
    assert not drift.checked
    assert not drift.drifted
    assert f"there are {now} distinct ones now and {before} in the reference; 50 of each" in drift.reason
    assert detected(table(max(now, 50), seed=4), table(max(before, 50), seed=1)).checked


def test_a_table_without_columns_is_not_checked() -> None:
    assert not detected(pd.DataFrame()).checked


def test_one_picture_sent_a_thousand_times_counts_once() -> None:
    rows = table(60, seed=4)
    flood = pd.concat([rows, *[rows.iloc[[0]]] * 1000])
    drift = detected(flood)
    assert drift.reason.startswith("60 pictures show no drift")


def test_a_model_without_projections_is_compared_by_the_rest() -> None:
    columns = [column for column in REFERENCE if not str(column).startswith("projection")]
    drift = detected(shifted("brightness", 1)(table(300, seed=4)), REFERENCE[columns])
    assert drifted(drift) == {"brightness"}
    assert {feature.feature for feature in drift.features} == {"prediction", "confidence", "probabilities", *FEATURES}


def test_rows_in_which_something_is_missing_are_left_out_of_its_test_only() -> None:
    rows = table(300, seed=4)
    rows.loc[:279, "projection_1"] = np.nan
    drift = detected(rows)
    assert "projection" not in {feature.feature for feature in drift.features}
    assert "brightness" in {feature.feature for feature in drift.features}


def test_many_labels_need_more_rows_for_their_probabilities() -> None:
    labels = [f"label {number}" for number in range(100)]
    rng = np.random.default_rng(0)

    def many(rows: int) -> pd.DataFrame:
        shares = rng.dirichlet(np.full(len(labels), 0.1), rows)
        return pd.DataFrame(shares, columns=[f"p_{label}" for label in labels]).assign(
            prediction=np.array(labels)[shares.argmax(1)], confidence=shares.max(1)
        )

    few, enough = (detect_drift(many(rows), many(rows), labels) for rows in (299, 300))
    assert [feature.feature for feature in few.features] == ["prediction", "confidence"]
    assert [feature.feature for feature in enough.features] == ["prediction", "confidence", "probabilities"]
    assert not enough.drifted


def test_a_model_with_constant_predictions_does_not_drift() -> None:
    def alike(seed: int) -> pd.DataFrame:
        shares = {f"p_{label}": 0.25 for label in LABELS}
        projection = {f"projection_{number}": 0.0 for number in range(DIMENSIONS)}
        return table(100, seed).assign(prediction="cat", confidence=0.25, **shares, **projection)

    drift = detected(alike(4), alike(1))
    assert drift.checked
    assert not drift.drifted


def test_the_limits_can_be_changed() -> None:
    reference, current = table(2000, seed=1), shifted("brightness", -0.3)(table(2000, seed=4))
    assert not detected(current, reference).drifted
    assert detect_drift(reference, current, LABELS, Limits(feature=0.05)).drifted
    assert not detect_drift(reference, current, LABELS, Limits(feature=0.05, chance=1e-30)).drifted
