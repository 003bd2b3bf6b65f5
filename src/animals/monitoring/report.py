"""A report: its numbers, its HTML pages, and how it is stored in the bucket."""

import logging
import uuid
import zipfile
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from io import BytesIO
from typing import Final

import pandas as pd
from pydantic import ValidationError

from animals.api import Findings, Summary
from animals.errors import BrokenRecords, NoSuchObject, NothingToReport
from animals.monitoring import html
from animals.monitoring.decision import decide
from animals.monitoring.feedback import count_pictures, read_feedback
from animals.monitoring.predictions import read_predictions
from animals.monitoring.reference import Reference, read_reference
from animals.records import explain, now
from animals.storage import Storage

logger = logging.getLogger(__name__)

DAYS: Final = 7

MAX_DAYS: Final = 90
"""Longest period: each day costs a few requests to the bucket."""

LATEST: Final = "reports/latest.json"
"""The summary of the newest report on the served version."""


@dataclass(frozen=True, slots=True)
class Report:
    """The data of a report, with samples of the feedback and the predictions."""

    summary: Summary
    reference: Reference
    feedback: pd.DataFrame
    predictions: pd.DataFrame


def build_report(
    storage: Storage, days: int = DAYS, version: str | None = None, created: datetime | None = None
) -> Report:
    """Compact new records, and summarize the last days, which end with the day of `created` (UTC, by default now).

    Without a version it is the served one.

    Raises:
        NoModel: there is no such version.
        BrokenModel: its card or its reference cannot be used.
        BrokenRecords: a Parquet file of compacted records cannot be read.
        Busy: other processes keep compacting the same day.
        StorageUnavailable: the bucket cannot be reached.
    """
    created = created or now()
    reference = read_reference(storage, version)
    period = _last(days, created.date())
    feedback = read_feedback(storage, period, reference)
    predictions = read_predictions(storage, period, reference)
    findings = Findings(
        created=created,
        days=days,
        version=reference.card.version,
        feedback=feedback.summary,
        predictions=predictions.summary,
        drift=predictions.drift,
        days_drifted=predictions.days_drifted,
        pictures=count_pictures(storage, reference.card, created.date()),
    )
    summary = Summary(**dict(findings), decision=decide(findings))
    return Report(summary, reference, feedback.sample, predictions.sample)


def _last(days: int, today: date) -> list[date]:
    return [today - timedelta(days=before) for before in reversed(range(days))]


def make_files(report: Report) -> dict[str, bytes]:
    """Return the report's files by name; without predictions and feedback there is NothingToReport."""
    summary = report.summary
    if not (summary.feedback.records or summary.predictions.records):
        raise NothingToReport(
            f"There is nothing to report on version {summary.version} yet: no predictions and no feedback in the last "
            f"{summary.days} days. A performance report needs {summary.feedback.needed} feedback records, a report on "
            "drift about fifty predictions."
        )
    texts = {
        "index.html": html.index(summary),
        "performance.html": _performance_page(report),
        "drift.html": _drift_page(report),
        "summary.json": summary.model_dump_json(indent=2),
    }
    return {name: text.encode() for name, text in texts.items()}


def _performance_page(report: Report) -> str:
    summary, title = report.summary, f"Performance of version {report.summary.version}"
    sentences = html.feedback_sentences(summary)
    if summary.feedback.records < summary.feedback.needed:
        return html.page(title, html.paragraphs(sentences))
    from animals.monitoring.evidently_pages import performance_page

    sample = html.sample_sentence(summary.feedback.sampled, summary.feedback.records, "feedback records")
    notes = [f"{title}.", *sentences, sample]
    return performance_page(report.reference.table, report.feedback, report.reference.card.labels, notes)


def _drift_page(report: Report) -> str:
    summary, title = report.summary, f"Data quality and drift, version {report.summary.version}"
    sentences = [summary.drift.reason, *html.prediction_sentences(summary)]
    if not summary.drift.checked:
        return html.page(title, html.paragraphs(sentences))
    from animals.monitoring.evidently_pages import drift_page

    sample = html.sample_sentence(summary.predictions.sampled, summary.predictions.records, "predictions")
    notes = [f"{title}.", *sentences, sample]
    labels = report.reference.card.labels
    return drift_page(report.reference.table, report.predictions, labels, summary.drift, notes)


def store(storage: Storage, summary: Summary, files: dict[str, bytes], *, latest: bool) -> str:
    """Store a report in the bucket, and return the prefix of the objects' names.

    The latest one is what the alerts use from now on.
    """
    prefix = f"reports/{summary.created:%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:4]}/"
    for name, data in files.items():
        storage.write(f"{prefix}{name}", data)
    if latest:
        storage.write(LATEST, files["summary.json"])
    logger.info("Stored the report on version %s as %s in %s.", summary.version, prefix, storage.url)
    return prefix


def read_latest(storage: Storage) -> Summary | None:
    """Read the summary of the newest report on the served version; None if there is none yet."""
    try:
        return Summary.model_validate_json(storage.read(LATEST).data)
    except NoSuchObject:
        return None
    except ValidationError as error:
        raise BrokenRecords(f"{LATEST} cannot be read: {explain(error)}. Make a new report.") from error


def zip_files(files: dict[str, bytes]) -> bytes:
    """Return the files as a zip archive."""
    data = BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()
