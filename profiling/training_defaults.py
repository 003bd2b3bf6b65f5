"""What each default of the trainer gains: the run that everything is compared with, and one run for each change of it.

    python profiling/training_defaults.py --photographs path/to/pictures

Each row is a run of its own, with the command that stands beside it, on the sample and on photographs, and ends with
the accuracy on test pictures as they are and spoiled (`invoke evaluate`). What is there already in `--work` is not run
again, so an interrupted measurement goes on. What came out: reports/training_defaults.md.
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
from animals.training.evaluation.records import EvaluationReport

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
"""What a row is called -> what it changes."""


def main() -> None:
    """Run what is missing, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", type=Path, help="folder of label folders; without: the sample only")
    parser.add_argument("--epochs", type=int, default=8, help="of each run [8]")
    parser.add_argument("--work", type=Path, default=Path("runs", "defaults"), help="runs and buckets [runs/defaults]")
    parser.add_argument("--jobs", type=int, default=available_cpus(), help="runs at once, with one thread each [CPUs]")
    parser.add_argument("--out", type=Path, default=OUT, help=f"[{OUT}]")
    arguments = parser.parse_args()
    data = {"sample": f"experiment=sample data.test=0.3 trainer.epochs={arguments.epochs}"}
    if arguments.photographs:
        photographs = arguments.photographs.resolve().as_posix()
        data["photographs"] = (
            f"experiment=folder data.root={photographs} data.test=0.4 trainer.epochs={arguments.epochs}"
        )
    with exit_on_error(), ThreadPoolExecutor(arguments.jobs) as pool:
        runs = {(row, name): pool.submit(run, arguments.work, row, name, data[name]) for row in ROWS for name in data}
        proofs = {key: future.result() for key, future in runs.items()}
        arguments.out.write_text(markdown(proofs, data), encoding="utf-8")


def run(work: Path, row: str, name: str, base: str) -> EvaluationReport:
    """Train and examine one row, unless that was done before."""
    folder = work / name / row.replace(" ", "-").replace(",", "")
    reports = folder / "reports" / "versions"
    if not list(reports.glob("*/report.json")):
        folder.mkdir(parents=True, exist_ok=True)
        for module, arguments in (
            ("animals.training", f"{base} {own_places(name)} {ROWS[row]} trainer.resume=auto"),
            ("animals.training.evaluation", "--bucket bucket --pictures 300"),
        ):
            words = shlex.split(arguments)  # written here, not typed
            execute([sys.executable, "-m", module, *words], folder)
    (report,) = reports.glob("*/report.json")
    return EvaluationReport.model_validate_json(report.read_bytes())


def own_places(name: str) -> str:
    """Overrides that keep a run apart from all others, but for the pictures and their cache."""
    shared = Path("data").resolve().as_posix()
    root = f"data.root={shared}/sample" if name == "sample" else ""
    return f"{root} data.cache_dir={shared}/cache bucket=bucket tracking.mode=disabled"


def execute(command: Sequence[str], folder: Path) -> None:
    """Run a command in a folder, with one thread.

    Raises:
        AnimalsError: it failed; what it said is in the folder's output.txt.
    """
    with (folder / "output.txt").open("a", encoding="utf-8") as output:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, cwd=folder, stdout=output, stderr=output, env=environment, check=False)  # noqa: S603 -- ours
    if done.returncode:
        raise AnimalsError(f"{shlex.join(command)} ended with {done.returncode}. What it said is in {output.name}.")


def markdown(proofs: dict[tuple[str, str], EvaluationReport], data: dict[str, str]) -> str:
    """The table: what the defaults reach, then by how much each change of them is better or worse."""
    head = [f"{name}: {column}" for name in data for column in ("test accuracy", "test loss", "spoiled")]
    command = shlex.join(["python", "profiling/training_defaults.py", *sys.argv[1:]])
    lines = [
        "# What each default gains",
        "",
        f"`{command}`: ResNet-18 at 64 pixels.",
        "",
        "The first row is what the defaults reach, the others are the differences to it: a change that is worse than",
        "the defaults has a lower accuracy and a higher loss. `spoiled` is the accuracy in the mean over ten",
        "corruptions at five severities. The second row shows how much is chance.",
        "",
        *(f"- {name}: `python -m animals.training {base}` and the change" for name, base in data.items()),
        "",
        *(f"| | change | {' | '.join(head)} |", "|---|---|" + "---:|" * len(head)),
        *(_line(row, [(proofs[row, name], proofs["the defaults", name]) for name in data]) for row in ROWS),
    ]
    return "\n".join(lines) + "\n"


def _line(row: str, pairs: Sequence[tuple[EvaluationReport, EvaluationReport]]) -> str:
    cells = [cell for proof, base in pairs for cell in _cells(proof, base)]
    return f"| {row} | {f'`{ROWS[row]}`' if ROWS[row] else ''} | {' | '.join(cells)} |"


def _cells(proof: EvaluationReport, base: EvaluationReport) -> tuple[str, str, str]:
    accuracy, loss, spoiled = proof.accuracy.share, proof.metrics.loss, proof.robustness.mean
    if proof is base:
        return f"{accuracy:.1%} of {proof.accuracy.pictures}", f"{loss:.3f}", f"{spoiled:.1%}"
    points = (100 * (accuracy - base.accuracy.share), 100 * (spoiled - base.robustness.mean))
    return f"{points[0]:+.1f}", f"{loss - base.metrics.loss:+.3f}", f"{points[1]:+.1f}"


if __name__ == "__main__":
    main()
