"""What of the labels a picture gives away without being looked at: `python profiling/shortcuts.py [overrides]`.

A logistic regression on little of each picture: its mean colours, its border alone, all of it at 16 pixels. What the
border tells is background; a network may learn that instead of what the label means.
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

SIDE = 16
BORDER = 2
"""Pixels of `SIDE`, on each side."""

Pixels = NDArray[np.float64]


def border(pixels: Pixels) -> Pixels:
    """The outermost pixels, of which a thing in the middle covers few."""
    outside = np.ones((SIDE, SIDE), bool)
    outside[BORDER:-BORDER, BORDER:-BORDER] = False
    return pixels[:, outside]


VIEWS: dict[str, Callable[[Pixels], Pixels]] = {
    "mean and deviation of each colour": lambda pixels: np.hstack([pixels.mean((1, 2)), pixels.std((1, 2))]),
    f"border of {BORDER} of {SIDE} pixels": border,
    f"all of {SIDE} x {SIDE} pixels": lambda pixels: pixels,
}


def main() -> None:
    """Print the test accuracy of each view as a row of a table."""
    config = compose_train_config([*sys.argv[1:], f"data.side={SIDE}", "data.resize=squash"]).data
    data_set = load_data_set(config, spec_without_model(config))
    train, test = (data_set.rows(split) for split in ("train", "test"))
    print("| a logistic regression sees | right on test pictures |\n|---|---|")  # noqa: T201
    for name, view in VIEWS.items():
        seen = [view(data_set.read_pixels(rows) / 255).reshape(len(rows), -1) for rows in (train, test)]
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=300))
        model.fit(seen[0], data_set.targets[train])
        print(f"| {name} | {model.score(seen[1], data_set.targets[test]):.1%} |")  # noqa: T201
    commonest = np.bincount(data_set.targets[test]).max() / len(test)
    print(f"| nothing (the most frequent label) | {commonest:.1%} |")  # noqa: T201


if __name__ == "__main__":
    main()
