"""How fast this trainer is beside the plain way, timm's loader, and the network alone.

    python profiling/training_bench.py data/sample --side 64 --side 224

Each variant runs in a process of its own, one after the other, as often as `--repeat` says: plain, timm, ours,
ceiling, plain, timm, … So a machine that gets slower or faster in between does so for all of them, and each ratio is
one of neighbours. What the variants are: training_variants.py. What came out: reports/training_speed.md.
"""

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from machine import cpu_name, in_own_process, spread, system_name
from training_variants import VARIANTS, Measured, Setup, measure, prepare

from animals.cli import exit_on_error
from animals.cpus import available_cpus
from animals.data.folders import find_pictures
from animals.errors import UsageError

OUT: Final = Path("reports", "training_speed.json")
PACKAGES: Final = ("torch", "torchvision", "timm", "pytorch-lightning", "pillow")
OTHERS: Final = ("plain", "timm", "ceiling")
"""What this trainer is compared with."""

NAMES: Final = {
    "plain": "plain: Pillow and torchvision in the main process, fp32, Adam",
    "timm": "timm's loader and a minimal loop",
    "ours": "this trainer",
    "ceiling": "ceiling: the network alone, on a batch in memory",
}


def main() -> None:
    """Measure, write and show."""
    arguments = _parser().parse_args()
    with exit_on_error():
        _check(arguments.root, arguments.batch_size)
        report = bench(arguments)
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        arguments.out.with_suffix(".md").write_text(markdown(report), encoding="utf-8")
        sys.stdout.write(markdown(report))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path, nargs="?", default=Path("data/sample"), help="folder of label folders")
    parser.add_argument("--side", type=int, action="append", help="of the pictures; may be repeated [64 and 224]")
    parser.add_argument("--batch-size", type=int, default=64, help="[64]")
    parser.add_argument("--steps", type=int, default=30, help="that are counted [30]")
    parser.add_argument("--warmup", type=int, default=5, help="steps before, that are not counted [5]")
    parser.add_argument("--repeat", type=int, default=3, help="times that each variant runs [3]")
    parser.add_argument("--cache-dir", default="data/cache", help="of decoded pictures [data/cache]")
    parser.add_argument("--out", type=Path, default=OUT, help=f"results; a table beside it ends in .md [{OUT}]")
    return parser


def _check(root: Path, batch_size: int) -> None:
    there = len(find_pictures(root, {}))
    if there * 0.8 < batch_size:  # of which four fifths are trained on
        raise UsageError(f"{root} has {there} pictures, too few for batches of {batch_size}. Give a --batch-size.")


def bench(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run all variants at all sides."""
    report: dict[str, Any] = {
        "command": shlex.join(["python", "profiling/training_bench.py", *sys.argv[1:]]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": cpu_name(),
        "cpus": available_cpus(),
        "system": system_name(),
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
        report |= in_own_process(prepare, setup)
        report["sides"][str(side)] = compare([_run_all(setup) for _ in range(arguments.repeat)])
    return report


def _run_all(setup: Setup) -> dict[str, Measured]:
    run = {}
    for name in VARIANTS:
        run[name] = in_own_process(measure, name, setup)
        sys.stderr.write(f"{setup.side} pixels, {name}: {run[name].pictures_per_second:.1f} pictures a second\n")
    return run


def compare(runs: Sequence[dict[str, Measured]]) -> dict[str, Any]:
    """All runs of one side, and the ratios of this trainer to the others within each of them."""
    ratios = {
        other: [run["ours"].pictures_per_second / run[other].pictures_per_second for run in runs] for other in OTHERS
    }
    return {"runs": [{name: asdict(measured) for name, measured in run.items()} for run in runs], "ratios": ratios}


def markdown(report: dict[str, Any]) -> str:
    """The report as tables: medians, with the least and the most in brackets."""
    packages = ", ".join(f"{name} {number}" for name, number in report["packages"].items())
    lines = [
        "# Training, side by side",
        "",
        f"`{report['command']}`, {report['date']}",
        "",
        f"{report['cpus']} CPUs ({report['cpu']}), GPU: {report['gpu'] or 'none'}, {report['system']}, {packages}. "
        f"ResNet-18; all but `plain` in {report['precision']} and channels_last. Medians, and from least to most.",
    ]
    for side, compared in report["sides"].items():
        lines += ["", f"## {side} pixels", "", *_speeds(compared["runs"]), "", *_ratios(compared["ratios"])]
    return "\n".join(lines) + "\n"


def _speeds(runs: Sequence[dict[str, Any]]) -> list[str]:
    columns = {"pictures_per_second": "{:.1f}", "waiting": "{:.1%}", "memory_mib": "{:.0f}", "worker_mib": "{:.0f}"}
    head = "| | pictures a second | waiting for data | peak memory, MiB | of its largest worker |"
    rows = [
        f"| {NAMES[name]} | "
        + " | ".join(spread([run[name][key] for run in runs], form) for key, form in columns.items())
        + " |"
        for name in NAMES
    ]
    return [head, "|---|---:|---:|---:|---:|", *rows]


def _ratios(ratios: dict[str, list[float]]) -> list[str]:
    rows = [f"| {other} | {spread(values, '{:.2f}')} |" for other, values in ratios.items()]
    return ["| this trainer / | within each repetition |", "|---|---:|", *rows]


if __name__ == "__main__":
    main()
