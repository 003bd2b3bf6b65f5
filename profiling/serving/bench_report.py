"""The results of `bench.py` as Markdown: medians, with the range in brackets."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from animals.markdown import table
from profiling.machine import median_and_range
from profiling.results import heading

NAMES: Final = {
    "ours": "this backend, ONNX Runtime int8",
    "plain": "plain FastAPI, torch fp32 in `async def`",
    "litserve": "LitServe, the same int8 model, batches of up to 8",
    "bentoml": "BentoML, the same int8 model",
}
SHOWN: Final = ("onnxruntime", "torch", "fastapi", "uvicorn", "pillow", "numpy", "timm", "litserve", "bentoml")

Runs = Sequence[Mapping[str, Any]]
Pick = Callable[[Mapping[str, Any]], Any]
"""Returns a number of one server in one repetition."""


def markdown(result: Mapping[str, Any], figure: str) -> str:
    """Return the page, with a figure of this name."""
    runs, clients = result["runs"], [str(number) for number in result["clients"]]
    rates = {f"{it} at once": _pick(it, "pictures_per_second") for it in clients}
    times = {f"{part}, {it} at once": _pick(it, part) for it in clients for part in ("p50", "p95", "p99")}
    parts = [
        heading("Serving, side by side", result),
        _conditions(result),
        "## Right answers a second",
        _medians(runs, rates, "{:.1f}"),
        _ratios(result["ratios"], clients),
        f"![Rate and memory of each server](figures/{figure}.png)",
        "## Latency, ms",
        _medians(runs, times, "{:.0f}"),
        "## Failures",
        _failures(runs),
        "## Start, memory and size",
        _resources(result),
        "Memory is the largest resident memory of all processes of a server together, sampled four times a second; "
        "memory that they share counts in each. Installed is without compiled bytecode.",
    ]
    return "\n\n".join(parts) + "\n"


def _conditions(result: Mapping[str, Any]) -> str:
    installed: dict[str, str] = {}
    for environment in result["installed"].values():
        installed |= environment["versions"]
    versions = ", ".join(f"{name} {installed[name]}" for name in SHOWN if name in installed)
    cpus = "Each server on one CPU, the clients on others" if result["pinned"] else "Servers and clients share CPUs"
    left_out = "".join(f" {name} was left out: {why}" for name, why in result["missing"].items())
    return (
        f"{versions}. {result['model']}, untrained; pictures: {result['pictures']}. {cpus}; memory was measured, not "
        f"limited. {len(result['runs'])} repetitions, in each of which every server was started and each number of "
        f"clients counted for {result['seconds']:g} s. Medians and ranges.{left_out}"
    )


def _pick(clients: str, key: str) -> Pick:
    return lambda run: run["clients"][clients][key]


def _medians(runs: Runs, columns: Mapping[str, Pick], form: str) -> str:
    rows = [
        [NAMES[name], *(median_and_range([pick(run[name]) for run in runs], form) for pick in columns.values())]
        for name in runs[0]
    ]
    return table(["", *columns], rows)


def _ratios(ratios: Mapping[str, Any], clients: Sequence[str]) -> str:
    rows = [[NAMES[it], *(median_and_range(found[key], "{:.2f}") for key in clients)] for it, found in ratios.items()]
    return table(["this backend /", *(f"{it} at once" for it in clients)], rows)


def _failures(runs: Runs) -> str:
    """Return sums over all repetitions."""
    rows = []
    for name in runs[0]:
        counts = [part for run in runs for part in (*run[name]["clients"].values(), run[name]["camera"])]
        sums = [sum(part[key] for part in counts) for key in ("right", "wrong", "shed")]
        rows.append([NAMES[name], *map(str, sums), str(sum(sum(part["failures"].values()) for part in counts))])
    return table(["", "right", "wrong", "rejected with Retry-After", "failed"], rows)


def _resources(result: Mapping[str, Any]) -> str:
    runs = result["runs"]
    columns: dict[str, tuple[Pick, str]] = {
        "start to the first right answer, s": (lambda run: run["cold_start"], "{:.2f}"),
        "memory, MB": (lambda run: run["memory"], "{:.0f}"),
        "with 8 pictures of 4000x3000 at once": (lambda run: run["memory_camera"], "{:.0f}"),
        "of which it answers a second": (lambda run: run["camera"]["pictures_per_second"], "{:.1f}"),
    }
    rows = []
    for name in runs[0]:
        medians = [median_and_range([pick(run[name]) for run in runs], form) for pick, form in columns.values()]
        rows.append([NAMES[name], *medians, f"{result['installed'][name]['megabytes']:.0f}"])
    return table(["", *columns, "installed, MB"], rows)
