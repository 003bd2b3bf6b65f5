"""From pictures a month to what is used, line by line."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from costs.busy import DAY, MONTH, alone, instance_seconds, rounded, windows
from costs.measured import Measured

GIB: Final = 2**30
CPU: Final = 1.0
"""Of every service on Cloud Run; so too the next."""
MEMORY: Final = 1.0
"""GiB."""

FLUSH: Final = 30.0
"""Seconds after which the backend stores its log of answers, or after as many answers as the next."""
BATCH: Final = 500
LOOK: Final = 5.0
"""Seconds between two looks of a backend for another version."""
WEEK: Final = 7
"""Days that a report looks back."""
UPTIME: Final = 6 * 12 * 24 * MONTH
"""Executions of one uptime check: every five minutes from six places."""
MESSAGE: Final = 2_000
"""Bytes that a message counts at the least, sent and received."""


@dataclass(kw_only=True, slots=True, frozen=True)
class Line:
    """One thing that is used."""

    part: str
    """Of the system."""
    what: str
    price: str
    amount: float
    """A month, in the price's unit."""


@dataclass(kw_only=True, slots=True, frozen=True)
class Month:
    """All that one month needs to be worked out."""

    pictures: float
    of: Mapping[str, float]
    """The assumptions' values."""
    measured: Measured
    always: int = 0
    """Instances of the backend that are kept when nobody asks."""

    @property
    def judgements(self) -> float:
        """That people give."""
        return self.pictures * self.of["feedback"]

    @property
    def kept_pictures(self) -> float:
        """That people let be kept."""
        return self.judgements * self.of["consent"]

    @property
    def visits(self) -> float:
        """To the page."""
        return self.pictures * self.of["page"] / self.of["visit_pictures"]

    @property
    def page_requests(self) -> float:
        """Of all visits, the connection that stays open included."""
        sizes, new = self.measured.sizes, self.of["new_visitors"]
        return self.visits * (1 + new * sizes.visit_requests + (1 - new) * sizes.again_requests)

    @property
    def week(self) -> float:
        """Pictures that a report looks back on."""
        return self.pictures * WEEK / MONTH


def use(month: Month) -> list[Line]:
    """Everything that is used in a month."""
    parts: Sequence[Callable[[Month], list[Line]]] = (_backend, _page, _reports, _bucket, _training, _rest)
    return [line for part in parts for line in part(month)]


def _run(part: str, seconds: float, requests: float) -> list[Line]:
    return [
        Line(part=part, what="CPU", price="run_cpu", amount=CPU * seconds),
        Line(part=part, what="memory", price="run_memory", amount=MEMORY * seconds),
        Line(part=part, what="requests", price="run_requests", amount=requests),
    ]


def backend_seconds(month: Month) -> float:
    """For which instances of the backend answer or start."""
    of, measured = month.of, month.measured
    by_page = month.pictures * of["page"]
    upload = 8 * of["upload_bytes"] / (1e6 * of["uplink"])
    stays = (
        by_page * rounded(measured.classify)
        + (month.pictures - by_page) * rounded(measured.classify + upload)
        + month.judgements * rounded(0)
    )
    busy = instance_seconds(stays, 1, at_once=of["concurrency"], hours=of["hours"])
    starts = 0.0 if month.always else alone(month.pictures, of["kept_seconds"], hours=of["hours"])
    return max(busy, month.pictures / measured.rate) + starts * measured.start


def _backend(month: Month) -> list[Line]:
    of, sizes = month.of, month.measured.sizes
    seconds = backend_seconds(month)
    answers = month.pictures * (1 - of["page"]) * sizes.answer / GIB
    idle = max(0.0, month.always * MONTH * DAY - seconds)
    lines = _run("backend", seconds, month.pictures + month.judgements + month.visits)
    lines.append(Line(part="backend", what="answers sent", price="egress", amount=answers))
    if month.always:
        lines.append(Line(part="backend", what="idle CPU", price="run_idle_cpu", amount=CPU * idle))
        lines.append(Line(part="backend", what="idle memory", price="run_idle_memory", amount=MEMORY * idle))
    return lines


def _page(month: Month) -> list[Line]:
    of, sizes = month.of, month.measured.sizes
    seconds = instance_seconds(month.visits, of["visit_seconds"], at_once=of["sessions"], hours=of["hours"])
    fetched = month.visits * (of["new_visitors"] * sizes.visit + (1 - of["new_visitors"]) * sizes.again) / GIB
    lines = _run("page", seconds, month.page_requests)
    return [*lines, Line(part="page", what="scripts sent", price="egress", amount=fetched)]


def _reports(month: Month) -> list[Line]:
    of, measured = month.of, month.measured
    reading = measured.per_record * month.week
    whole = of["reports"] * (measured.report + reading)
    answered = whole + of["summaries"] * (measured.summary + reading)
    checks = MONTH * (measured.summary + reading) + month.judgements * measured.compact
    sent = of["reports"] * measured.report_zip / GIB
    return [
        *_run("reports", answered, of["reports"] + of["summaries"]),
        Line(part="reports", what="zips sent", price="egress", amount=sent),
        Line(part="reports", what="CPU of the daily check", price="run_always_cpu", amount=CPU * checks),
        Line(part="reports", what="memory of the daily check", price="run_always_memory", amount=MEMORY * checks),
    ]


def _bucket(month: Month) -> list[Line]:
    of, sizes = month.of, month.measured.sizes
    answers = min(of["answer_months"], of["months"]) * month.pictures * sizes.logged
    grows = (
        month.judgements * sizes.judgement
        + month.kept_pictures * sizes.kept_picture
        + of["trainings"] * sizes.version
        + of["reports"] * month.measured.report_zip
    )
    flushes = windows(month.pictures, FLUSH, hours=of["hours"]) + month.pictures / BATCH
    there = windows(month.pictures, of["kept_seconds"], hours=of["hours"]) * of["kept_seconds"]
    looks = max(there, month.always * MONTH * DAY) / LOOK
    kept = of["data_bytes"] + answers + of["months"] * grows
    return [
        Line(part="bucket", what="kept", price="storage", amount=kept / 1e9),
        Line(part="bucket", what="writes", price="class_a", amount=flushes + month.judgements + month.kept_pictures),
        Line(part="bucket", what="looks for a version", price="class_b", amount=looks),
        Line(part="bucket", what="judgements read", price="class_b", amount=month.judgements),
        Line(
            part="bucket", what="pictures to train on", price="class_b", amount=of["trainings"] * of["train_pictures"]
        ),
    ]


def training_hours(month: Month) -> float:
    """Of one training on the CPUs that it was measured on."""
    return month.of["train_pictures"] * month.of["epochs"] / month.measured.train_rate / 3600


def _training(month: Month) -> list[Line]:
    hours = month.of["trainings"] * training_hours(month)
    return [Line(part="training", what="on a CPU", price="train_cpu", amount=hours)]


def _rest(month: Month) -> list[Line]:
    of, sizes = month.of, month.measured.sizes
    starts = alone(month.pictures, of["kept_seconds"], hours=of["hours"])
    own = (month.pictures + month.judgements) * sizes.log_line
    requests = month.pictures + month.judgements + month.page_requests
    builds = of["builds"]
    return [
        Line(part="logs and alerts", what="logs", price="logging", amount=(own + requests * of["log_bytes"]) / GIB),
        Line(part="logs and alerts", what="alerts", price="alerts", amount=month.measured.alerts),
        Line(part="logs and alerts", what="uptime check", price="uptime", amount=UPTIME),
        Line(part="builds", what="minutes", price="build", amount=builds * of["build_minutes"]),
        Line(part="builds", what="minutes of deploying", price="deploy", amount=builds * of["deploy_minutes"]),
        Line(part="builds", what="scans", price="scan", amount=builds * of["images"]),
        Line(part="builds", what="images kept", price="registry", amount=of["images_gb"] * of["images_kept"]),
        Line(part="other", what="schedule", price="scheduler", amount=1),
        Line(part="other", what="messages", price="pubsub", amount=MONTH * MESSAGE / 2**40),
        Line(part="other", what="secrets", price="secrets", amount=of["secrets"]),
        Line(part="other", what="secrets read", price="secret_reads", amount=of["secrets"] * (starts + MONTH)),
    ]
