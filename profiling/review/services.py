"""The parts of the page on the running services, and on what they cost."""

import statistics
from collections.abc import Mapping
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Final

from costs.page import dollars
from machine import spread
from results import command_of, made_by, read_json, read_text
from tabular import rows, table, tables

SERVING: Final = "python profiling/serving_bench.py --others --seconds 4"
LOAD: Final = "invoke load-test --users {users} --seconds 30"
SOAK: Final = "python profiling/serving_soak.py"
REPORTS: Final = "python profiling/report_bench.py"
COST: Final = "invoke cost"
RATE: Final = "pictures_per_second"
USERS: Final = (50, 200, 400)
PERCENTILES: Final = ("p50, ms", "p95, ms", "p99, ms")

SERVERS: Final = {
    "ours": "**this backend, int8**",
    "plain": "plain FastAPI, torch fp32 in `async def`",
    "litserve": "LitServe, the same int8 model",
    "bentoml": "BentoML, the same int8 model",
}


def serving(reports: Path) -> list[str]:
    """This backend beside others."""
    found = read_json(reports / "serving_speed.json", SERVING)
    runs, clients = found["runs"], [str(number) for number in found["clients"]]

    def middle(*keys: str) -> float:
        return float(statistics.median(reduce(getitem, keys, run) for run in runs))

    lines = [
        [
            SERVERS[name],
            " / ".join(f"{middle(name, 'clients', at, RATE):.0f}" for at in clients),
            f"{middle(name, 'clients', clients[-1], 'p95'):,.0f}",
            f"{middle(name, 'cold_start'):.1f}",
            f"{middle(name, 'memory'):.0f}",
            f"{found['installed'][name]['megabytes']:,.0f}",
            spread(found["ratios"].get(name, {}).get(clients[-1], []), "{:.2f}"),
        ]
        for name in runs[0]
    ]
    at_once = " / ".join(clients)
    head = [
        "",
        f"pictures a second at {at_once} at once",
        f"p95 at {clients[-1]}, ms",
        "start to first answer, s",
        "memory, MB",
        "installed, MB",
        f"this backend / at {clients[-1]}",
    ]
    return [*table(head, lines), "", made_by(found)]


def load(reports: Path) -> list[str]:
    """What users who come together see."""
    lines, made = [], []
    for users, text in _load_tests(reports).items():
        found = {row[""]: row for row in rows(tables(text)[0])}
        classify, shed = found["classify"], found.get("shed")
        lines.append(
            [
                f"[{users}](load_test/users_{users}.md)",
                *(classify[column] for column in ("a second", *PERCENTILES)),
                shed["a second"] if shed else "0",
                shed["p95, ms"] if shed else "-",
                str(sum(int(row["failed"]) for row in found.values())),
            ]
        )
        command, day = command_of(text)
        made.append(f"`{command}`, {day}")
    head = ["users", "answered a second", *PERCENTILES, "told to come back, a second", "p95 of that, ms"]
    return [*table([*head, "wrong or failed"], lines), "", f"*{'; '.join(made)}*"]


def latencies(reports: Path) -> dict[int, dict[str, float]]:
    """Users -> milliseconds of an answer, by percentile."""
    found = {users: {row[""]: row for row in rows(tables(text)[0])} for users, text in _load_tests(reports).items()}
    return {users: {name: float(it["classify"][name]) for name in PERCENTILES} for users, it in found.items()}


def _load_tests(reports: Path) -> dict[int, str]:
    return {it: read_text(reports / "load_test" / f"users_{it}.md", LOAD.format(users=it)) for it in USERS}


def soak(reports: Path) -> list[str]:
    """Whether the memory stays flat."""
    found = read_json(reports / "serving_soak.json", SOAK)
    memory = found["memory"]
    rows = [
        ["pictures a second, asked and answered", f"{found['pictures_per_second']:.0f}"],
        ["minutes", f"{len(memory) * found['every'] / 60:.0f}"],
        ["right / wrong / failed", f"{found['right']:,} / {found['wrong']} / {sum(found['failures'].values())}"],
        ["p50 / p95 / p99, ms", f"{found['p50']:.0f} / {found['p95']:.0f} / {found['p99']:.0f}"],
        ["memory at the beginning / at the end, MB", f"{memory[0]:.0f} / {memory[-1]:.0f}"],
    ]
    return [*table(["", ""], rows), "", made_by(found)]


def monitoring(reports: Path) -> list[str]:
    """How long a report takes."""
    found = read_json(reports / "report_speed.json", REPORTS)

    def seconds(part: Mapping[str, float]) -> str:
        return f"{part['seconds']:.1f} ({part['cpu']:.1f})"

    lines = [
        [
            f"{part['records']:,}",
            *(seconds(part["whole"][name]) for name in ("find", "store", "import", "render")),
            f"{part['whole']['store']['peak']:.0f}",
            seconds(part["summary"]["find"]),
        ]
        for part in found["grown"]
    ]
    head = ["compacted judgements, and as many answers", f"reading, with {found['new']:,} new judgements", "storing"]
    head += ["Evidently's import", "rendering", "memory, MiB", "the summary alone"]
    note = f"; seconds by the clock, those of the CPU in brackets; {found['load']:.0f} processes wanted the CPUs"
    return [*table(head, lines), "", made_by(found, note)]


def cost(reports: Path) -> list[str]:
    """Dollars a month by part."""
    found = read_json(reports / "cost.json", COST)
    parts = [[part, *(dollars(it[part]) for it in found["parts"])] for part in found["parts"][0]]
    parts.append(["**together**", *(f"**{dollars(it)}**" for it in found["total"])])
    parts.append(["with one backend always there", *map(dollars, found["total_always"])])
    head = ["dollars a month", *(f"{volume:,} pictures" for volume in found["pictures"])]
    return [*table(head, parts), "", f"*`{COST}`, prices of {found['prices']} in {found['region']}*"]
