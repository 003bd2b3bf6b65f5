"""The training benchmarks, run as a person runs them, on as little as it takes."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from animals.errors import AnimalsError
from animals.records import LabelMetrics, Metrics
from animals.training.evaluation.records import EvaluationReport, Robustness, Share
from profiling.training import defaults, sample_run
from tests.profiling.commands import run_benchmark
from tests.support.pictures import write_label_folders

pytestmark = pytest.mark.minutes


def test_all_variants_are_measured_and_compared(tmp_path: Path) -> None:
    write_label_folders(tmp_path / "pictures", per_label=10)
    counts = ["--side=32", "--batch-size=8", "--steps=2", "--warmup=1", "--repeat=1"]
    done = run_benchmark("training.bench", tmp_path, "pictures", *counts, "--out", "results/bench.json")
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads((tmp_path / "results/bench.json").read_text(encoding="utf-8"))
    (run,) = result["sides"]["32"]["runs"]
    assert list(run) == ["plain", "timm", "ours", "ceiling"]
    assert all(variant["pictures_per_second"] > 0 for variant in run.values())
    assert run.pop("ceiling")["waiting"] is None
    assert all(0 < variant["waiting"] < 1 for variant in run.values())
    assert done.stdout == (tmp_path / "results/bench.md").read_text(encoding="utf-8")
    for text in ("`python -m profiling.training.bench pictures --side=32", "torch 2", "## 32 pixels", "| ceiling | "):
        assert text in done.stdout
    assert (tmp_path / "reports/figures/bench.png").is_file()


def test_a_folder_with_too_few_pictures_is_named(tmp_path: Path) -> None:
    write_label_folders(tmp_path / "few", per_label=2)
    done = run_benchmark("training.bench", tmp_path, "few", "--batch-size=8")
    assert done.returncode == 2
    assert done.stderr == "error: few has 6 pictures, too few for batches of 8. Give a --batch-size.\n"


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


def test_each_change_has_its_difference_to_the_defaults() -> None:
    proofs = {(row, "sample"): proof(0.7 if row == "no warm-up" else 0.8) for row in defaults.ROWS}
    rows = defaults.markdown(proofs, {"sample": "experiment=sample"}).splitlines()
    assert "| the defaults |  | 80.0% of 100 | 0.200 | 40.0% |" in rows
    assert "| no warm-up | `scheduler.warmup=0` | -10.0 | +0.100 | -5.0 |" in rows


def test_report_and_figures_of_the_sample_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report, curves = tmp_path / "work/reports/versions/v", tmp_path / "work/runs/one/figures"
    for folder in (report, curves):
        folder.mkdir(parents=True)
    for path in (curves / "curves.png", report / "robustness.png"):
        Image.effect_noise((300, 300), 80).convert("RGB").save(path)
    (report / "report.md").write_text("# Title\n\ntext\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    sample_run.copy_report(tmp_path / "work")
    assert sorted(path.name for path in Path("reports/sample").iterdir()) == ["report.md", "robustness.png"]
    assert Path("reports/sample/report.md").read_text("utf-8").startswith("# Title\n\n`python -m ")
    assert Path("reports/figures/sample_curves.png").is_file()
    with pytest.raises(AnimalsError, match="animals nothing ended with 2"):
        sample_run.run(tmp_path, "nothing")
