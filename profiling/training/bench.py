"""Compare the speed of this trainer with the plain way, timm's loader, and the network alone.

    python -m profiling.training.bench data/sample --side 64 --side 224

Each variant (variants.py) runs in a process of its own, one after the other, as often as `--repeat` says: plain, timm,
ours, ceiling, plain, timm, … A machine that becomes slower in between does so for all of them, and each ratio is taken
within one repetition. Results: reports/training_speed.md.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from animals.cli import exit_on_error
from animals.cpus import available_cpus
from animals.data.folders import find_pictures
from animals.errors import UsageError
from animals.markdown import table
from profiling.figures import FIGURES, save, training_figure
from profiling.machine import in_own_process, median_and_range
from profiling.results import conditions, heading, write
from profiling.training.variants import VARIANTS, Measurement, Setup, measure, prepare

OUT: Final = Path("reports", "training_speed.json")
PACKAGES: Final = ("torch", "torchvision", "timm", "pytorch-lightning", "pillow")
OTHERS: Final = ("plain", "timm", "ceiling")
"""Variants that this trainer is compared with."""

NAMES: Final = {
    "plain": "plain: Pillow and torchvision in the main process, fp32, Adam",
    "timm": "timm's loader and a minimal loop",
    "ours": "this trainer",
    "ceiling": "ceiling: the network alone, on a batch in memory",
}


def main() -> None:
    """Measure, write and print."""
    arguments = _parser().parse_args()
    with exit_on_error():
        _check(arguments.root, arguments.batch_size)
        result = bench(arguments)
        write(result, markdown(result, arguments.out.stem), arguments.out)
        save(training_figure(result["sides"]), FIGURES / f"{arguments.out.stem}.png")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path, nargs="?", default=Path("data/sample"), help="folder of label folders")
    parser.add_argument("--side", type=int, action="append", help="pixels; may be repeated [64 and 224]")
    parser.add_argument("--batch-size", type=int, default=64, help="[64]")
    parser.add_argument("--steps", type=int, default=30, help="measured steps [30]")
    parser.add_argument("--warmup", type=int, default=5, help="steps before, which are not counted [5]")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each variant [3]")
    parser.add_argument("--cache-dir", default="data/cache", help="of decoded pictures [data/cache]")
    parser.add_argument("--out", type=Path, default=OUT, help=f"results; a table beside it ends in .md [{OUT}]")
    return parser


def _check(root: Path, batch_size: int) -> None:
    count = len(find_pictures(root, {}))
    if count * 0.8 < batch_size:  # four fifths are the training split
        raise UsageError(f"{root} has {count} pictures, too few for batches of {batch_size}. Give a --batch-size.")


def bench(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run all variants at all sides."""
    result: dict[str, Any] = {
        **conditions(),
        "cpus": available_cpus(),
        "packages": {name: version(name) for name in PACKAGES},
        "sides": {},
    }
    for side in arguments.side or [64, 224]:
        setup = Setup(
            root=arguments.root,
            side=side,
            batch_size=arguments.batch_size,
            steps=arguments.steps,
            warmup=arguments.warmup,
            cache_dir=arguments.cache_dir,
        )
        result |= in_own_process(prepare, setup)
        result["sides"][str(side)] = compare([_run_all(setup) for _ in range(arguments.repeat)])
    return result


def _run_all(setup: Setup) -> dict[str, Measurement]:
    run = {}
    for name in VARIANTS:
        run[name] = in_own_process(measure, name, setup)
        sys.stderr.write(f"{setup.side} pixels, {name}: {run[name].pictures_per_second:.1f} pictures a second\n")
    return run


def compare(runs: Sequence[dict[str, Measurement]]) -> dict[str, Any]:
    """Return all runs of one side, and the ratios of this trainer to the others within each run."""
    ratios = {
        other: [run["ours"].pictures_per_second / run[other].pictures_per_second for run in runs] for other in OTHERS
    }
    return {"runs": [{name: asdict(it) for name, it in run.items()} for run in runs], "ratios": ratios}


def markdown(result: dict[str, Any], figure: str) -> str:
    """Return the page: medians, with the range in brackets, and a figure."""
    packages = ", ".join(f"{name} {number}" for name, number in result["packages"].items())
    parts = [
        heading("Training, side by side", result),
        f"{result['cpus']} CPUs, GPU: {result['gpu'] or 'none'}, {packages}. ResNet-18; all but `plain` in "
        f"{result['precision']} and channels_last. Medians and ranges.",
    ]
    for side, compared in result["sides"].items():
        parts += [f"## {side} pixels", _speeds(compared["runs"]), _ratios(compared["ratios"])]
    parts.append(f"![Pictures a second of each variant](figures/{figure}.png)")
    return "\n\n".join(parts) + "\n"


def _speeds(runs: Sequence[dict[str, Any]]) -> str:
    columns = {"pictures_per_second": "{:.1f}", "waiting": "{:.1%}", "memory_mib": "{:.0f}", "worker_mib": "{:.0f}"}
    head = ["", "pictures a second", "waiting for data", "peak memory, MiB", "of its largest worker"]
    rows = [
        [label, *(median_and_range([run[name][key] for run in runs], form) for key, form in columns.items())]
        for name, label in NAMES.items()
    ]
    return table(head, rows)


def _ratios(ratios: dict[str, list[float]]) -> str:
    rows = [[other, median_and_range(values, "{:.2f}")] for other, values in ratios.items()]
    return table(["this trainer /", "within each repetition"], rows)


if __name__ == "__main__":
    main()
