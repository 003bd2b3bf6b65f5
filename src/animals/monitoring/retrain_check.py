"""Check whether to retrain, and request it: `animals decide`, once a day.

It prints one line of JSON, which Cloud Logging parses and the alert policies in cloudbuild_files/alerts/ match.
"""

import logging
import sys
from typing import Final, Literal

from animals.api import Summary
from animals.cli import StderrHandler
from animals.config.settings import read_settings
from animals.errors import ConfigError, ServiceError
from animals.monitoring.decision import is_less_accurate
from animals.monitoring.report import MAX_DAYS, Report, build_report, store
from animals.monitoring.settings import ReportSettings
from animals.monitoring.trigger import RetrainRequest, Trigger, TriggerSettings, open_trigger, send_once
from animals.records import Probability, Record
from animals.storage import Storage, open_storage

Requested = Literal["not needed", "no: ANIMALS_TRIGGER is print", "now", "earlier today", "failed"]

_DAY: Final = 86400


class CheckResult(Record):
    """The printed line."""

    severity: Literal["INFO", "NOTICE", "ERROR"]
    message: str
    event: Literal["check"] = "check"
    """The alert policies match it."""
    version: str
    days: int
    model_days: float
    less_accurate: bool
    """Whether the accuracy on feedback is significantly lower than on the test pictures."""
    accuracy: Probability | None
    judged: int
    """Feedback records."""
    drifted: bool
    drift_days: int
    """Latest days in a row with drift."""
    pictures: int
    retrain: bool
    reasons: tuple[str, ...]
    asked: Requested


def check(storage: Storage, trigger: Trigger | None, days: int) -> CheckResult:
    """Report on the last days, store the summary for the alerts, and request a training if needed.

    If the training cannot be requested, the line that says so is printed before the ServiceError is raised.
    """
    report = build_report(storage, days)
    summary = report.summary
    store(storage, summary, {"summary.json": summary.model_dump_json(indent=2).encode()}, latest=True)
    try:
        requested = _request(storage, trigger, summary)
    except ServiceError:
        sys.stdout.write(_result(report, "failed").model_dump_json() + "\n")
        raise
    return _result(report, requested)


def _request(storage: Storage, trigger: Trigger | None, summary: Summary) -> Requested:
    if not summary.decision.retrain:
        return "not needed"
    if trigger is None:
        return "no: ANIMALS_TRIGGER is print"
    request = RetrainRequest(version=summary.version, bucket=storage.url, reasons=summary.decision.reasons)
    return "now" if send_once(trigger, request, storage) else "earlier today"


def _result(report: Report, requested: Requested) -> CheckResult:
    summary, card = report.summary, report.reference.card
    retrain, reasons = summary.decision.retrain, summary.decision.reasons
    return CheckResult(
        severity="ERROR" if requested == "failed" else "NOTICE" if retrain else "INFO",
        message=f"{'Retrain' if retrain else 'No need to retrain'}: {' '.join(reasons)}",
        version=summary.version,
        days=summary.days,
        model_days=round((summary.created - card.created).total_seconds() / _DAY, 1),
        less_accurate=is_less_accurate(summary.feedback),
        accuracy=summary.feedback.accuracy,
        judged=summary.feedback.records,
        drifted=summary.drift.drifted,
        drift_days=summary.days_drifted,
        pictures=summary.pictures,
        retrain=retrain,
        reasons=reasons,
        asked=requested,
    )


def run(days: int) -> str:
    """Check the last days, request a training if needed, and return one line of JSON."""
    logging.basicConfig(level=logging.WARNING, handlers=[StderrHandler()])
    if not 1 <= days <= MAX_DAYS:
        raise ConfigError(f"--days is {days}; expected 1 to {MAX_DAYS}.")
    trigger = open_trigger(TriggerSettings())
    return check(open_storage(read_settings(ReportSettings).bucket), trigger, days).model_dump_json() + "\n"
