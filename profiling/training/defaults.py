"""Measure what each default of the trainer gains: one run with the defaults, and one for each change.

    python -m profiling.training.defaults --photographs path/to/pictures

Each row is a run on the sample and one on photographs, and reports the accuracy on clean and corrupted test pictures
(`invoke evaluate`). Runs that are already in `--work` are not repeated, so an interrupted measurement resumes. Results:
reports/training_defaults.md.
"""

import argparse
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from animals.cli import exit_on_error
from animals.cpus import available_cpus
from animals.errors import AnimalsError
from animals.markdown import table
from animals.training.evaluation.records import EvaluationReport
from profiling.results import conditions, heading

OUT: Final = Path("reports", "training_defaults.md")
ROWS: Final = {
    "the defaults": "",
    "the defaults, another seed": "seed=1",
    "colours as they are": "augment.color=0",
    "colours changed twice as much": "augment.color=0.4",
    "moving average of the weights": "trainer.ema=0.99",
    "TrivialAugment besides": "augment.policy=trivial",
    "mixup": "augment.mixup=0.2",
    "no label smoothing": "trainer.label_smoothing=0",
    "pictures not mirrored, turned, zoomed or moved": "augment.flip=0 augment.rotate=0 augment.zoom=0 augment.shift=0",
    "SGD": "optimizer.name=sgd optimizer.lr=0.05 optimizer.weight_decay=5e-4",
    "a constant learning rate": "scheduler.name=constant",
    "no warm-up": "scheduler.warmup=0",
    "gradients clipped": "trainer.gradient_clip=1",
    "two batches a step": "trainer.accumulate=2",
}
"""Name of a row -> Hydra overrides."""


def main() -> None:
    """Run the missing rows, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", type=Path, help="folder of label folders [only the sample]")
    parser.add_argument("--epochs", type=int, default=8, help="of each run [8]")
    parser.add_argument("--work", type=Path, default=Path("runs", "defaults"), help="runs and buckets [runs/defaults]")
    parser.add_argument("--jobs", type=int, default=available_cpus(), help="parallel runs with one thread each [CPUs]")
    parser.add_argument("--out", type=Path, default=OUT, help=f"[{OUT}]")
    arguments = parser.parse_args()
    data = {"sample": f"experiment=sample data.test=0.3 trainer.epochs={arguments.epochs}"}
    if arguments.photographs:
        photographs = arguments.photographs.resolve().as_posix()
        data["photographs"] = (
            f"experiment=folder method=full data.root={photographs} data.test=0.4 trainer.epochs={arguments.epochs}"
        )
    with exit_on_error(), ThreadPoolExecutor(arguments.jobs) as pool:
        runs = {(row, name): pool.submit(run, arguments.work, row, name, data[name]) for row in ROWS for name in data}
        proofs = {key: future.result() for key, future in runs.items()}
        arguments.out.write_text(markdown(proofs, data), encoding="utf-8")


def run(work: Path, row: str, name: str, base: str) -> EvaluationReport:
    """Train and evaluate one row, unless an earlier call did."""
    folder = work / name / row.replace(" ", "-").replace(",", "")
    reports = folder / "reports" / "versions"
    if not list(reports.glob("*/report.json")):
        folder.mkdir(parents=True, exist_ok=True)
        for command in (
            f"train {base} {separate_folders(name)} {ROWS[row]} trainer.resume=auto",
            "evaluate --pictures 300",
        ):
            execute([sys.executable, "-m", "animals", *shlex.split(command)], folder)
    (report,) = reports.glob("*/report.json")
    return EvaluationReport.model_validate_json(report.read_bytes())


def separate_folders(name: str) -> str:
    """Return overrides for a run with folders of its own, except for the pictures and their cache."""
    shared = Path("data").resolve().as_posix()
    root = f"data.root={shared}/sample" if name == "sample" else ""
    return f"{root} data.cache_dir={shared}/cache bucket=bucket tracking.mode=disabled"


def execute(command: Sequence[str], folder: Path) -> None:
    """Run a command in a folder, with one thread and the bucket `bucket`.

    Raises:
        AnimalsError: it failed; its output is in output.txt.
    """
    with (folder / "output.txt").open("a", encoding="utf-8") as output:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "ANIMALS_BUCKET": "bucket"}
        done = subprocess.run(command, cwd=folder, stdout=output, stderr=output, env=environment, check=False)  # noqa: S603 - ours
    if done.returncode:
        raise AnimalsError(f"{shlex.join(command)} ended with {done.returncode}. Its output is in {output.name}.")


def markdown(proofs: dict[tuple[str, str], EvaluationReport], data: dict[str, str]) -> str:
    """Return the page: the results of the defaults, then the differences that each change makes."""
    columns = [f"{name}: {column}" for name in data for column in ("test accuracy", "test loss", "corrupted")]
    rows = [
        [row, f"`{change}`" * bool(change)]
        + [cell for name in data for cell in _cells(proofs[row, name], proofs["the defaults", name])]
        for row, change in ROWS.items()
    ]
    parts = [
        heading("What each default gains", conditions()),
        "ResNet-18 at 64 pixels. The first row has the results of the defaults, the others the differences to them: a "
        "change that is worse has a lower accuracy and a higher loss. `corrupted` is the mean accuracy over ten "
        "corruptions at five severities. The second row shows how much is chance.",
        "\n".join(f"- {name}: `animals train {base}` and the change" for name, base in data.items()),
        table(["", "change", *columns], rows),
    ]
    return "\n\n".join(parts) + "\n"


def _cells(proof: EvaluationReport, base: EvaluationReport) -> tuple[str, str, str]:
    accuracy, loss, corrupted = proof.accuracy.share, proof.metrics.loss, proof.robustness.mean
    if proof is base:
        return f"{accuracy:.1%} of {proof.accuracy.pictures}", f"{loss:.3f}", f"{corrupted:.1%}"
    points = (100 * (accuracy - base.accuracy.share), 100 * (corrupted - base.robustness.mean))
    return f"{points[0]:+.1f}", f"{loss - base.metrics.loss:+.3f}", f"{points[1]:+.1f}"


if __name__ == "__main__":
    main()
