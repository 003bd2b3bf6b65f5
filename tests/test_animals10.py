"""The labels of Animals-10."""

from animals.animals10 import ANIMALS10_FOLDERS, ANIMALS10_LABELS


def test_the_order_of_the_models_outputs_never_changes() -> None:
    assert " ".join(ANIMALS10_LABELS) == "butterfly cat chicken cow dog elephant horse sheep spider squirrel"


def test_each_folder_has_a_label_of_its_own() -> None:
    assert sorted(ANIMALS10_FOLDERS.values()) == list(ANIMALS10_LABELS)
