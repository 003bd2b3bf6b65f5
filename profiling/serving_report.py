"""What `serving_bench.py` found, as Markdown."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from machine import spread

NAMES: Final = {
    "ours": "this backend, ONNX Runtime int8",
    "plain": "plain FastAPI, torch fp32 in `async def`",
    "litserve": "LitServe, the same int8 model, batches of up to 8",
    "bentoml": "BentoML, the same int8 model",
}
SHOWN: Final = ("onnxruntime", "torch", "fastapi", "uvicorn", "pillow", "numpy", "timm", "litserve", "bentoml")

Pick = Callable[[dict[str, Any]], Any]
"""A figure of one server in one repetition."""


def markdown(report: dict[str, Any]) -> str:
    """Tables of medians, with the least and the most in brackets."""
    runs, clients = report["runs"], [str(number) for number in report["clients"]]
    lines = [
        "# Serving, side by side",
        "",
        f"`{report['command']}`, {report['date']}",
        "",
        _conditions(report),
        "",
        "## Right answers a second",
        "",
        *_table(runs, {f"{it} at once": _figure(it, "pictures_per_second") for it in clients}, "{:.1f}"),
        "",
        *_ratios(report["ratios"], clients),
        "",
        "## How long an answer takes, ms",
        "",
        *_table(runs, {f"{part}, {it} at once": _figure(it, part) for it in clients for part in _PARTS}, "{:.0f}"),
        "",
        "## Failures",
        "",
        *_failures(runs),
        "",
        "## What it takes",
        "",
        *_costs(report),
    ]
    return "\n".join(lines) + "\n"


_PARTS: Final = ("p50", "p95", "p99")


def _conditions(report: dict[str, Any]) -> str:
    found: dict[str, str] = {}
    for installed in report["installed"].values():
        found |= {name: number for name, number in installed["versions"].items() if name in SHOWN}
    versions = ", ".join(f"{name} {found[name]}" for name in SHOWN if name in found)
    where = (
        "Each server on one CPU, the clients on another; the servers' memory was not bounded but measured"
        if report["confined"]
        else "This system could not keep servers and clients on CPUs of their own, so both shared all"
    )
    left_out = "".join(f" {name} was left out: {why}" for name, why in report["missing"].items())
    return (
        f"{report['cpu']}, {report['system']}, {versions}. {report['model']}, untrained; pictures: "
        f"{report['pictures']}. {where}. {len(report['runs'])} repetitions, in each of which every server was started, "
        f"and each number of clients counted for {report['seconds']:g} s. Medians, and from least to most.{left_out}"
    )


def _figure(clients: str, key: str) -> Pick:
    return lambda run: run["clients"][clients][key]


def _table(runs: Sequence[dict[str, Any]], columns: dict[str, Pick], form: str) -> list[str]:
    rows = [
        f"| {NAMES[name]} | " + " | ".join(spread([pick(run[name]) for run in runs], form) for pick in columns.values())
        for name in runs[0]
    ]
    return [f"| | {' | '.join(columns)} |", "|---" + "|---:" * len(columns) + "|", *(f"{row} |" for row in rows)]


def _ratios(ratios: dict[str, dict[str, list[float | None]]], clients: Sequence[str]) -> list[str]:
    head = f"| this backend / | {' | '.join(f'{it} at once' for it in clients)} |"
    rows = [
        f"| {NAMES[other]} | {' | '.join(spread(found[it], '{:.2f}') for it in clients)} |"
        for other, found in ratios.items()
    ]
    return [head, "|---" + "|---:" * len(clients) + "|", *rows]


def _failures(runs: Sequence[dict[str, Any]]) -> list[str]:
    """Sums over all repetitions."""
    lines = ["| | right | wrong | told to try again later | failed |", "|---|---:|---:|---:|---:|"]
    for name in runs[0]:
        found = [part for run in runs for part in (*run[name]["clients"].values(), run[name]["camera"])]
        right, wrong, shed = (sum(part[key] for part in found) for key in ("right", "wrong", "shed"))
        failed = sum(sum(part["failures"].values()) for part in found)
        lines.append(f"| {NAMES[name]} | {right} | {wrong} | {shed} | {failed} |")
    return lines


def _costs(report: dict[str, Any]) -> list[str]:
    runs = report["runs"]
    columns: dict[str, tuple[Pick, str]] = {
        "from its start to the first right answer, s": (lambda run: run["cold_start"], "{:.2f}"),
        "memory, MB": (lambda run: run["memory"], "{:.0f}"),
        "with 8 pictures of 4000x3000 at once": (lambda run: run["memory_camera"], "{:.0f}"),
        "of which it answers a second": (lambda run: run["camera"]["pictures_per_second"], "{:.1f}"),
    }
    head = f"| | {' | '.join(columns)} | installed, MB |"
    rows = [
        f"| {NAMES[name]} | "
        + " | ".join(spread([pick(run[name]) for run in runs], form) for pick, form in columns.values())
        + f" | {report['installed'][name]['megabytes']:.0f} |"
        for name in runs[0]
    ]
    note = (
        "Memory is the most that was resident in all processes of a server together, seen four times a second; what "
        "they share counts in each. Installed is without compiled bytecode."
    )
    return [head, "|---" + "|---:" * (len(columns) + 1) + "|", *rows, "", note]
