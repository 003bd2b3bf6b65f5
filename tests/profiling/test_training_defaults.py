"""The table of what each default gains is made from the reports of its runs, which are not made again."""

import subprocess
import sys
from pathlib import Path

import pytest

from animals.records import LabelMetrics, Metrics
from animals.training.evaluation.records import EvaluationReport, Robustness, Share

SCRIPT = Path(__file__).parents[2] / "profiling" / "training_defaults.py"


def proof(accuracy: float) -> EvaluationReport:
    metrics = Metrics(
        accuracy=accuracy,
        f1_macro=accuracy,
        f1_weighted=accuracy,
        loss=1 - accuracy,
        pictures=100,
        per_label={"cat": LabelMetrics(precision=1, recall=1, f1=1, pictures=100)},
    )
    return EvaluationReport(
        version="v",
        manifest_sha256="0",
        accuracy=Share(count=round(100 * accuracy), pictures=100, share=accuracy, low=0, high=1),
        card_accuracy=accuracy,
        metrics=metrics,
        temperature=1,
        ece_before=0,
        ece_after=0,
        robustness=Robustness(pictures=100, clean=accuracy, mean=accuracy / 2, accuracy={}),
        slices=(),
        changed={},
        comparison=None,
        not_compared="alone",
    )


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """All runs on the sample, with the one without warm-up worse than the others."""
    sys.path.insert(0, str(SCRIPT.parent))
    try:
        from training_defaults import ROWS
    finally:
        sys.path.remove(str(SCRIPT.parent))
    for row in ROWS:
        folder = tmp_path / "work" / "sample" / row.replace(" ", "-").replace(",", "") / "reports" / "versions" / "v"
        folder.mkdir(parents=True)
        (folder / "report.json").write_text(
            proof(0.7 if row == "no warm-up" else 0.8).model_dump_json(), encoding="utf-8"
        )
    return tmp_path / "work"


def test_each_change_stands_beside_its_difference_to_the_defaults(finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "table.md"
    subprocess.run([sys.executable, SCRIPT, "--work", finished, "--out", out], check=True, timeout=120)
    rows = out.read_text(encoding="utf-8").splitlines()
    assert "| the defaults |  | 80.0% of 100 | 0.200 | 40.0% |" in rows
    assert "| no warm-up | `scheduler.warmup=0` | -10.0 | +0.100 | -5.0 |" in rows
