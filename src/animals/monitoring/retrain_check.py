"""Look whether it is time to train again, and ask for it: `animals decide`, once a day.

Prints one line of JSON, which Cloud Logging takes apart and the alert policies in cloudbuild_files/alerts/ look for.
"""

import logging
import sys
from typing import Final, Literal

from animals.cli import StderrHandler
from animals.config.settings import read_settings
from animals.errors import ConfigError, ServiceError
from animals.monitoring.decision import is_less_accurate
from animals.monitoring.report import MAX_DAYS, Found, find, store
from animals.monitoring.settings import ReportSettings
from animals.monitoring.summary import Summary
from animals.monitoring.trigger import RetrainRequest, Trigger, TriggerSettings, ask_once, open_trigger
from animals.records import Probability, Record
from animals.storage import Storage, open_storage

Asked = Literal["no reason to", "nobody: ANIMALS_TRIGGER is print", "now", "earlier today", "failed"]

_DAY: Final = 86400


class Checked(Record):
    """What is printed."""

    severity: Literal["INFO", "NOTICE", "ERROR"]
    """As Cloud Logging calls it."""
    message: str
    event: Literal["check"] = "check"
    """By which the line is found."""
    version: str
    days: int
    """That were looked at."""
    model_days: float
    """Since the version was made."""
    less_accurate: bool
    """Whether the judged answers were right significantly less often than those to the test pictures."""
    accuracy: Probability | None
    """Of the judged answers."""
    judged: int
    drifted: bool
    drift_days: int
    """Last days in a row on which the predictions drifted."""
    pictures: int
    """New labelled ones."""
    retrain: bool
    reasons: tuple[str, ...]
    asked: Asked
    """Whether a training was asked for."""


def check(storage: Storage, whom: Trigger | None, days: int) -> Checked:
    """Look at the last days, keep the summary for the alerts, and ask for a training if it is time.

    Raises:
        NoModel: nothing is published yet.
        BrokenModel: the card or the reference of the version that serves cannot be used.
        BrokenRecords: what was compacted cannot be read.
        StorageUnavailable: the bucket is away.
        ServiceError: the training could not be asked for; the line says so, and was printed.
    """
    found = find(storage, days)
    store(storage, found.summary, {"summary.json": found.summary.model_dump_json(indent=2).encode()}, latest=True)
    try:
        asked = _ask(storage, whom, found.summary)
    except ServiceError:
        sys.stdout.write(_line(found, "failed").model_dump_json() + "\n")
        raise
    return _line(found, asked)


def _ask(storage: Storage, whom: Trigger | None, summary: Summary) -> Asked:
    if not summary.decision.retrain:
        return "no reason to"
    if whom is None:
        return "nobody: ANIMALS_TRIGGER is print"
    wanted = RetrainRequest(version=summary.version, bucket=storage.url, reasons=summary.decision.reasons)
    return "now" if ask_once(whom, wanted, storage) else "earlier today"


def _line(found: Found, asked: Asked) -> Checked:
    summary, card = found.summary, found.reference.card
    retrain, reasons = summary.decision.retrain, summary.decision.reasons
    return Checked(
        severity="ERROR" if asked == "failed" else "NOTICE" if retrain else "INFO",
        message=f"{'Train again' if retrain else 'No need to train again'}: {' '.join(reasons)}",
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
        asked=asked,
    )


def run(days: int) -> str:
    """Check the last days, and request a training if it is time.

    Returns:
        One line of JSON.

    Raises:
        ConfigError: the number of days or a setting is impossible.
        AnimalsError: as `check` raises.
    """
    logging.basicConfig(level=logging.WARNING, handlers=[StderrHandler()])
    if not 1 <= days <= MAX_DAYS:
        raise ConfigError(f"--days is {days}; expected 1 to {MAX_DAYS}.")
    whom = open_trigger(TriggerSettings())
    return check(open_storage(read_settings(ReportSettings).bucket), whom, days).model_dump_json() + "\n"
