"""Parts of the pictures with a low accuracy are found, and chance is not taken for one."""

from pathlib import Path

import numpy as np

from animals.data.dataset import DataSet
from animals.preprocess import InputSpec
from animals.training.evaluation.metrics import Evaluation
from animals.training.evaluation.slices import find_parts, measure_slices

SPEC = InputSpec(side=8, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
PICTURES = 200


def evaluation(correct: np.ndarray) -> Evaluation:
    """Two labels in turn; the later a picture the brighter it is, contrast has nothing to do with it."""
    targets = np.arange(PICTURES) % 2
    return Evaluation(
        rows=np.arange(PICTURES),
        targets=targets,
        logits=np.eye(2)[np.where(correct, targets, 1 - targets)],
        features={
            "brightness": np.linspace(0.1, 0.9, PICTURES, dtype=np.float32),
            "contrast": np.random.default_rng(0).random(PICTURES, np.float32),
        },
    )


def data_set(sizes: list[tuple[int, int]]) -> DataSet:
    """The first pictures have these sizes (width, height), all others 40x30."""
    all_sizes = np.array([*sizes, *[(40, 30)] * (PICTURES - len(sizes))])
    return DataSet(Path(), SPEC, ("cat", "dog"), [], None, np.arange(PICTURES), all_sizes)


def test_the_part_that_is_answered_worse_than_the_rest_is_weak_and_no_other() -> None:
    correct = np.ones(PICTURES, np.bool_)
    correct[:30] = False
    parts = {part.name: part for part in measure_slices(evaluation(correct), data_set([]))}
    assert [name for name, part in parts.items() if part.weak] == ["dark"]
    assert (parts["dark"].accuracy.count, parts["dark"].accuracy.pictures) == (10, 40)
    assert parts["dark"].meaning == "brightness from 0.10 to 0.26"
    assert parts["bright"].meaning == "brightness from 0.74 to 0.90"
    assert parts["bright"].accuracy.share == 1


def test_a_weak_label_is_named() -> None:
    correct = (np.arange(PICTURES) % 2 == 0) | (np.arange(PICTURES) > 100)
    assert [part.name for part in measure_slices(evaluation(correct), data_set([])) if part.weak] == ["dark", "dog"]


def test_mistakes_without_a_pattern_make_no_part_weak() -> None:
    correct = np.random.default_rng(3).random(PICTURES) > 0.2
    assert not any(part.weak for part in measure_slices(evaluation(correct), data_set([(30, 40)] * 20)))


def test_portraits_are_higher_than_wide() -> None:
    correct = np.ones(PICTURES, np.bool_)
    parts = {
        part.name: part for part in measure_slices(evaluation(correct), data_set([(30, 40)] * 20 + [(30, 30)] * 5))
    }
    assert parts["portrait"].accuracy.pictures == 20


def test_a_part_without_pictures_or_with_all_of_them_is_left_out() -> None:
    names = [part.name for part in measure_slices(evaluation(np.ones(PICTURES, np.bool_)), data_set([]))]
    assert names == ["dark", "bright", "low contrast", "cat", "dog"]  # all are of one size and none is a portrait


def test_small_are_those_below_the_size_that_most_have() -> None:
    parts = {part.name: part for part in find_parts(evaluation(np.ones(PICTURES, np.bool_)), data_set([(20, 20)] * 7))}
    assert np.flatnonzero(parts["small"].inside).tolist() == list(range(7))
    assert parts["small"].meaning == "pixels from 400 to 400"
