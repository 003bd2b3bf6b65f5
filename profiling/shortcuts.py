"""Measure what background and colours alone tell about the label: `python -m profiling.shortcuts [overrides]`.

A logistic regression sees the mean colours, the border, or all of a picture at 16 pixels. The border is background; a
network may learn that instead of the animal.
"""

import sys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from animals.config.compose import compose_train_config
from animals.data.load import load_data_set, spec_without_model
from animals.markdown import table

SIDE = 16
BORDER = 2
"""Pixels of `SIDE`, on each side."""

Pixels = NDArray[np.float64]


def border(pixels: Pixels) -> Pixels:
    """Return the outermost pixels, of which an animal in the middle covers few."""
    outside = np.ones((SIDE, SIDE), bool)
    outside[BORDER:-BORDER, BORDER:-BORDER] = False
    return pixels[:, outside]


VIEWS: dict[str, Callable[[Pixels], Pixels]] = {
    "mean and deviation of each colour": lambda pixels: np.hstack([pixels.mean((1, 2)), pixels.std((1, 2))]),
    f"border of {BORDER} of {SIDE} pixels": border,
    f"all of {SIDE} x {SIDE} pixels": lambda pixels: pixels,
}


def main() -> None:
    """Print the test accuracy of each view."""
    config = compose_train_config([*sys.argv[1:], f"data.side={SIDE}", "data.resize=squash"]).data
    data_set = load_data_set(config, spec_without_model(config))
    train, test = (data_set.rows(split) for split in ("train", "test"))
    rows = []
    for name, view in VIEWS.items():
        inputs = [view(data_set.read_pixels(rows) / 255).reshape(len(rows), -1) for rows in (train, test)]
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=300))
        model.fit(inputs[0], data_set.targets[train])
        rows.append([name, f"{model.score(inputs[1], data_set.targets[test]):.1%}"])
    commonest = np.bincount(data_set.targets[test]).max() / len(test)
    rows.append(["nothing (the most frequent label)", f"{commonest:.1%}"])
    sys.stdout.write(table(["a logistic regression sees", "test accuracy"], rows) + "\n")


if __name__ == "__main__":
    main()
