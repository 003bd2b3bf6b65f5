"""The published model as this project's classifier, for servers whose environments lack most of what it needs."""

from pathlib import Path

from animals.records import INT8, Card
from animals.serving.classifier import Classifier


def load_classifier(version: Path) -> Classifier:
    """The model in 8 bits, on one thread.

    Args:
        version: the folder of its files.
    """
    card = Card.model_validate_json((version / "card.json").read_bytes())
    return Classifier(card, (version / INT8).read_bytes())
