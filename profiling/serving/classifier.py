"""The published model in this project's classifier, for servers whose environments have few of its libraries."""

from pathlib import Path

from animals.records import INT8, Card
from animals.serving.classifier import Classifier


def load_classifier(version: Path) -> Classifier:
    """Return the 8-bit model on one thread, from the folder of a version."""
    card = Card.model_validate_json((version / "card.json").read_bytes())
    return Classifier(card, (version / INT8).read_bytes())
