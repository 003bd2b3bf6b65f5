"""Estimate what a month on Google Cloud costs: usage x price - free tier, from prices.toml and cost.toml.

`invoke cost` writes docs/cost.md and a figure; with other assumptions (`--feedback 0.1`) it only prints the page.
"""

import math
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, NamedTuple

import numpy as np
from scipy.stats import poisson

from animals.cli import exit_on_error
from animals.errors import ConfigError
from animals.markdown import table
from profiling.figures import cost_figure, save
from profiling.options import cost_parser, read_assumptions

HERE: Final = Path(__file__).parent
VOLUMES: Final = (1_000, 100_000, 10_000_000)
"""Pictures a month."""
GIB, DAYS, MONTH = 2**30, 30, 30 * 86_400.0
"""Bytes, days of a month, seconds of a month."""
PAGE: Final = """# What it costs

An estimate by `invoke cost`, usage x price - free tier: dollars a month on Google Cloud in {region}, without taxes, at
the prices of {date}. [`prices.toml`](../profiling/prices.toml) has the prices with their sources,
[`cost.toml`](../profiling/cost.toml) what was measured and what is assumed. None of this has run on Google Cloud.

{totals}

![Dollars a month by part of the system, for three volumes](../reports/figures/cost.png)

{lines}

Not included: domain, load balancer, second region, W&B, GitHub, working hours; and what stays within its free tier at
all of these volumes: the daily check, uptime checks, Pub/Sub, Cloud Scheduler, Secret Manager.
"""


class Usage(NamedTuple):
    """What is used in a month, in the unit of its price."""

    part: str
    what: str
    price: str
    amount: float


def usage(values: Mapping[str, float], pictures: float, always_on: int = 0) -> list[Usage]:
    """Return all lines of a month, for the values of cost.toml and a minimum number of backend instances."""
    v = SimpleNamespace(**values, pictures=pictures, always_on=always_on, feedbacks=pictures * values["feedback"])
    v.visits = pictures * v.page / v.visit_pictures
    v.page_requests = v.visits * (1 + v.new_visitors * v.visit_requests + (1 - v.new_visitors) * v.again_requests)
    v.open_seconds = MONTH * v.hours / 24
    return [*_backend(v), *_page_and_reports(v), *_bucket(v), *_rest(v)]


def _run(part: str, seconds: float, requests: float) -> list[Usage]:
    """Return what Cloud Run bills for instances of 1 CPU and 1 GiB."""
    cpu, memory = Usage(part, "CPU", "run_cpu", seconds), Usage(part, "memory", "run_memory", seconds)
    return [cpu, memory, Usage(part, "requests", "run_requests", requests)]


def _backend(v: Any) -> list[Usage]:
    programs, upload = v.pictures * (1 - v.page), 8 * v.upload_bytes / (1e6 * v.uplink)
    request_seconds = v.pictures * v.page * billed(v.answer_seconds) + programs * billed(v.answer_seconds + upload)
    seconds = max(instance_seconds(request_seconds, v.concurrency, v.open_seconds), v.pictures / v.answers_per_second)
    return [
        *_run("backend", seconds, v.pictures + v.feedbacks + v.visits),
        Usage("backend", "answers sent", "egress", programs * v.answer_bytes / GIB),
        *([Usage("backend", "idle", "run_idle", max(0.0, v.always_on * MONTH - seconds))] if v.always_on else []),
    ]


def _page_and_reports(v: Any) -> list[Usage]:
    seconds = instance_seconds(v.visits * v.visit_seconds, v.sessions, v.open_seconds)
    sent = v.visits * (v.new_visitors * v.visit_bytes + (1 - v.new_visitors) * v.again_bytes) / GIB
    reading = v.record_seconds * v.pictures * 7 / DAYS  # a report looks back a week
    report_seconds = v.reports * (v.report_seconds + reading) + v.summaries * (v.summary_seconds + reading)
    return [
        *_run("page", seconds, v.page_requests),
        Usage("page", "scripts sent", "egress", sent),
        *_run("reports", report_seconds, v.reports + v.summaries),
        Usage("reports", "zips sent", "egress", v.reports * v.report_bytes / GIB),
    ]


def _bucket(v: Any) -> list[Usage]:
    kept_pictures = v.feedbacks * v.consent
    monthly = v.feedbacks * v.feedback_bytes + kept_pictures * v.picture_bytes
    monthly += v.trainings * v.version_bytes + v.reports * v.report_bytes
    predictions = min(v.answer_months, v.months) * v.pictures * v.prediction_bytes
    flushes = windows(v.pictures, 30, v.open_seconds) + v.pictures / 500  # every 30 s, or after 500 predictions
    up = max(windows(v.pictures, v.kept_seconds, v.open_seconds) * v.kept_seconds, v.always_on * MONTH)
    reads = up / 5 + v.feedbacks + v.trainings * v.train_pictures  # a backend looks for a new version every 5 s
    return [
        Usage("bucket", "stored", "storage", (v.data_bytes + predictions + v.months * monthly) / 1e9),
        Usage("bucket", "writes", "class_a", flushes + v.feedbacks + kept_pictures),
        Usage("bucket", "reads", "class_b", reads),
    ]


def _rest(v: Any) -> list[Usage]:
    requests = v.pictures + v.feedbacks
    logs = (requests * v.log_line_bytes + (requests + v.page_requests) * v.log_bytes) / GIB
    hours = v.trainings * v.train_pictures * v.epochs / v.train_pictures_per_second / 3600
    return [
        Usage("training", "on a CPU", "train_cpu", hours),
        Usage("logs and alerts", "logs", "logging", logs),
        Usage("logs and alerts", "alerts", "alerts", v.alerts),
        Usage("builds", "build minutes", "build", v.builds * v.build_minutes),
        Usage("builds", "deploy minutes", "deploy", v.builds * v.deploy_minutes),
        Usage("builds", "scans", "scan", v.builds * v.images),
        Usage("builds", "images stored", "registry", v.images_gb * v.images_kept),
    ]


def billed(seconds: float) -> float:
    """Return the seconds that Cloud Run bills for a request: rounded up to tenths."""
    return math.ceil(round(10 * seconds, 9)) / 10


def instance_seconds(request_seconds: float, at_once: float, open_seconds: float) -> float:
    """Return the seconds in which instances are busy, summed over instances.

    The number of requests at a moment is Poisson distributed and needs `ceil(number / at_once)` instances. The mean
    of that is the sum of the probabilities that a first, second, … instance is needed.
    """
    mean = request_seconds / open_seconds
    requests = np.arange(0, mean + 12 * math.sqrt(mean + 1) + 12, max(1, int(at_once)))
    return float(open_seconds * poisson.sf(requests, mean).sum())


def windows(requests: float, seconds: float, open_seconds: float) -> float:
    """Return the number of intervals of this length that contain a request."""
    return open_seconds / seconds * -math.expm1(-requests * seconds / open_seconds)


def bill(lines: Sequence[Usage], prices: Mapping[str, Any]) -> list[float]:
    """Return the dollars of each line; lines with the same price share its free tier in proportion."""
    used = {name: sum(line.amount for line in lines if line.price == name) for name in prices}
    paid = {name: max(0.0, 1 - prices[name]["free"] / it) if it else 0.0 for name, it in used.items()}
    return [line.amount * paid[line.price] * prices[line.price]["per"] for line in lines]


def estimate(values: Mapping[str, float], tables: Mapping[str, Any]) -> tuple[str, list[dict[str, float]]]:
    """Return the page, and the dollars of each part for each volume."""
    prices = {name: it for name, it in tables.items() if isinstance(it, dict)}
    months = [usage(values, volume) for volume in VOLUMES]
    bills = [bill(month, prices) for month in months]
    parts: list[dict[str, float]] = [{line.part: 0.0 for line in months[0]} for _ in VOLUMES]
    always_on = [sum(bill(usage(values, volume, always_on=1), prices)) for volume in VOLUMES]
    lines = [[line.part, line.what, prices[line.price]["unit"]] for line in months[0]]
    for part, month, dollars in zip(parts, months, bills, strict=True):
        for row, line, cost in zip(lines, month, dollars, strict=True):
            part[line.part] += cost
            row.append(f"{float(f'{line.amount:.4g}'):,.10g}: ${cost:,.2f}")
    rows = [[name, *(f"{it[name]:,.2f}" for it in parts)] for name in parts[0]]
    rows.append(["**together**", *(f"**{sum(it):,.2f}**" for it in bills)])
    rows.append(["together, with one backend always on", *(f"{it:,.2f}" for it in always_on)])
    head = [f"{volume:,} pictures" for volume in VOLUMES]
    totals = table(["dollars a month", *head], rows)
    return PAGE.format(**tables, totals=totals, lines=table(["", "", "unit", *head], lines)), parts


def main(words: Sequence[str] | None = None) -> None:
    """Print or write the estimate."""
    tables, prices = (tomllib.loads((HERE / name).read_text("utf-8")) for name in ("cost.toml", "prices.toml"))
    measured, entries = tables["measured"], read_assumptions()
    given = {name: it for name, it in vars(cost_parser().parse_args(words)).items() if it is not None}
    with exit_on_error():
        if path := given.pop("assume", None):
            given = {name: it["value"] for name, it in tomllib.loads(path.read_text("utf-8")).items()} | given
        chosen = {name: given.get(name, it["value"]) for name, it in entries.items()}
        wrong = [it for it in chosen if not entries[it].get("least", 0) <= chosen[it] <= entries[it].get("most", 1e12)]
        if wrong := [*wrong, *(given.keys() - entries)]:
            raise ConfigError(f"{', '.join(wrong)}: expected an assumption and a value as in profiling/cost.toml.")
    text, parts = estimate({**measured, **chosen}, prices)
    if given:
        sys.stdout.write(text)
        return
    (HERE.parent / "docs/cost.md").write_text(text, encoding="utf-8")
    save(cost_figure(VOLUMES, parts), HERE.parent / "reports/figures/cost.png")


if __name__ == "__main__":
    main()
