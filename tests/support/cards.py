"""The card of a made-up version."""

from datetime import UTC, datetime
from typing import Any

from animals.preprocess import InputSpec
from animals.records import Calibration, Card, ExportCheck, Metrics, Quantized, Rejection, SplitInfo, Training

SIDE = 8
INPUT = InputSpec(side=SIDE, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))


def make_card(version: str = "r1", **changes: Any) -> Card:
    """Return the card of a version that serves in 32 bits and accepts every prediction."""
    fields: dict[str, Any] = {
        "version": version,
        "created": datetime(2026, 11, 21, 12, tzinfo=UTC),
        "run": version,
        "architecture": "resnet18",
        "data_title": "",
        "labels": ("cat", "dog"),
        "input": INPUT,
        "metrics": Metrics(accuracy=0.9, f1_macro=0.9, f1_weighted=0.9, loss=0.1, pictures=30, per_label={}),
        "temperature": 1,
        "calibration": Calibration(pictures=10, bins=10, ece_before=0.1, ece_after=0.1),
        "rejection": Rejection(threshold=0, accepted=1, refused=0, pictures=30, others=0, source="none"),
        "split": SplitInfo(manifest_sha256="0", seed=1, counts={"train": 10, "val": 10, "test": 30}, test_sha256="0"),
        "training": Training(epochs=1, best_epoch=1, seconds=1, hardware="a CPU", precision="fp32", labels={}),
        "export": ExportCheck(pictures=30, same_label=30, max_probability_difference=0),
        "external_test": None,
        "quantized": Quantized(
            accuracy=None, accuracy_fp32=0.9, same_label=None, pictures=30, passed=False, reason="It was not quantized."
        ),
        "config": {},
        "git_commit": None,
        "packages": {},
        "files": {},
    }
    return Card(**{**fields, **changes})
