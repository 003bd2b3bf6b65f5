"""The card of a version that is published for a benchmark only."""

from typing import Any

from animals import registry
from animals.preprocess import InputSpec
from animals.records import Calibration, Card, ExportCheck, Metrics, Quantized, Rejection, SplitInfo, Training, now
from animals.storage import Storage


def publish(
    storage: Storage, version: str, labels: tuple[str, ...], spec: InputSpec, files: dict[str, bytes], **changes: Any
) -> None:
    """Write a version whose metrics are unknown, and let it serve; with an 8-bit model that one serves."""
    fields: dict[str, Any] = {
        "created": now(),
        "architecture": "none",
        "metrics": Metrics(accuracy=0, f1_macro=0, f1_weighted=0, loss=0, pictures=0, per_label={}),
        "external_test": None,
        "quantized": Quantized(
            accuracy=0,
            accuracy_fp32=0,
            same_label=0,
            pictures=0,
            passed=registry.INT8 in files,
            reason="benchmark",
        ),
    }
    card = Card(
        version=version,
        run=version,
        data_title="",
        labels=labels,
        input=spec,
        temperature=1,
        calibration=Calibration(pictures=0, bins=1, ece_before=0, ece_after=0),
        rejection=Rejection(threshold=0, accepted=1, refused=0, pictures=0, others=0, source="none"),
        split=SplitInfo(manifest_sha256="0", seed=0, counts={}, test_sha256="0"),
        training=Training(epochs=0, best_epoch=0, seconds=0, hardware="none", precision="fp32", labels={}),
        export=ExportCheck(pictures=0, same_label=0, max_probability_difference=0),
        config={},
        git_commit=None,
        packages={},
        files={name: registry.describe(data) for name, data in files.items()},
        **(fields | changes),
    )
    registry.write_version(storage, card, files)
    registry.promote(storage, version, reason="benchmark")
