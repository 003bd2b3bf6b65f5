"""Labels and folders of the data set Animals-10.

Other modules do not depend on these: they read the labels from the folders, the split manifest or the model card.
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
"""Folder name -> label."""

ANIMALS10_LABELS: Final[tuple[str, ...]] = tuple(sorted(ANIMALS10_FOLDERS.values()))
"""Labels in the order of the model's outputs."""
