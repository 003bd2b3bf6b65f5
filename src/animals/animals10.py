"""The Animals-10 data set's ten labels and the folders that its pictures come in.

Nothing else in the package knows that there are ten animals: every other module takes its labels from the data
set's folders, from the split manifest or from the model card.
"""

from typing import Final

ANIMALS10_FOLDERS: Final[dict[str, str]] = {
    "cane": "dog",
    "cavallo": "horse",
    "elefante": "elephant",
    "farfalla": "butterfly",
    "gallina": "chicken",
    "gatto": "cat",
    "mucca": "cow",
    "pecora": "sheep",
    "ragno": "spider",
    "scoiattolo": "squirrel",
}
"""Folder name in the published data set -> label."""

ANIMALS10_LABELS: Final[tuple[str, ...]] = tuple(sorted(ANIMALS10_FOLDERS.values()))
"""The labels in the order of the model's outputs."""
