"""A report: what was found in the bucket, as a summary in numbers and as pages to look at."""

import logging
import uuid
import zipfile
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from io import BytesIO
from typing import Final

import pandas as pd
from pydantic import ValidationError

from animals.errors import BrokenRecords, NoSuchObject, NothingToReport
from animals.monitoring import html
from animals.monitoring.decision import decide
from animals.monitoring.feedback import count_pictures, read_feedback
from animals.monitoring.predictions import read_predictions
from animals.monitoring.reference import Reference, read_reference
from animals.monitoring.summary import Findings, Summary
from animals.records import explain, now
from animals.storage import Storage

logger = logging.getLogger(__name__)

DAYS: Final = 7
"""That a report is about, unless told otherwise."""

MAX_DAYS: Final = 90
"""Each day costs a few requests to the bucket."""

LATEST: Final = "reports/latest.json"
"""The summary of the newest report on the version that serves."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a report is made of."""

    summary: Summary
    reference: Reference
    judged: pd.DataFrame
    """Some of the feedback, as `Feedback.row`."""
    answered: pd.DataFrame
    """Some of the predictions, as `LoggedPrediction.row`."""


def find(storage: Storage, days: int = DAYS, version: str | None = None, created: datetime | None = None) -> Found:
    """Read what is new, and count what the last days brought.

    Args:
        storage: the bucket.
        days: so many, the last one being that of `created` in UTC.
        version: whose answers are looked at; by default the one that serves.
        created: the present unless given.

    Raises:
        NoModel: there is no such version.
        BrokenModel: its card or its reference cannot be used.
        BrokenRecords: what was compacted cannot be read.
        Busy: others compact the same day all the time.
        StorageUnavailable: the bucket is away.
    """
    created = created or now()
    reference = read_reference(storage, version)
    period = _last(days, created.date())
    judged = read_feedback(storage, period, reference)
    answered = read_predictions(storage, period, reference)
    findings = Findings(
        created=created,
        days=days,
        version=reference.card.version,
        feedback=judged.summary,
        predictions=answered.summary,
        drift=answered.drift,
        days_drifted=answered.days_drifted,
        pictures=count_pictures(storage, reference.card, created.date()),
    )
    summary = Summary(**dict(findings), decision=decide(findings))
    return Found(summary, reference, judged.sample, answered.sample)


def _last(days: int, today: date) -> list[date]:
    return [today - timedelta(days=before) for before in reversed(range(days))]


def make_files(found: Found) -> dict[str, bytes]:
    """The report's files by their names.

    Raises:
        NothingToReport: nothing was answered or judged in these days.
    """
    summary = found.summary
    if not (summary.feedback.records or summary.predictions.records):
        raise NothingToReport(
            f"There is nothing to report on version {summary.version} yet: in the last {summary.days} days it has "
            f"answered nothing, and nobody has judged an answer. {summary.feedback.needed} judged answers make a "
            "performance report, some fifty answers a report on drift."
        )
    texts = {
        "index.html": html.index(summary),
        "performance.html": _performance(found),
        "drift.html": _drift(found),
        "summary.json": summary.model_dump_json(indent=2),
    }
    return {name: text.encode() for name, text in texts.items()}


def _performance(found: Found) -> str:
    summary, title = found.summary, f"Performance of version {found.summary.version}"
    sentences = html.feedback_sentences(summary)
    if summary.feedback.records < summary.feedback.needed:
        return html.page(title, html.paragraphs(sentences))
    from animals.monitoring.evidently_pages import performance_page

    drawn = html.drawn(summary.feedback.sampled, summary.feedback.records, "judged answers")
    return performance_page(
        found.reference.table, found.judged, found.reference.card.labels, [f"{title}.", *sentences, drawn]
    )


def _drift(found: Found) -> str:
    summary, title = found.summary, f"Data quality and drift, version {found.summary.version}"
    sentences = [summary.drift.reason, *html.prediction_sentences(summary)]
    if not summary.drift.checked:
        return html.page(title, html.paragraphs(sentences))
    from animals.monitoring.evidently_pages import drift_page

    drawn = html.drawn(summary.predictions.sampled, summary.predictions.records, "answers")
    return drift_page(
        found.reference.table,
        found.answered,
        found.reference.card.labels,
        summary.drift,
        [f"{title}.", *sentences, drawn],
    )


def store(storage: Storage, summary: Summary, files: dict[str, bytes], *, latest: bool) -> str:
    """Keep a report in the bucket.

    Args:
        storage: the bucket.
        summary: of the report.
        files: of the report; the last one makes it complete.
        latest: whether it is the one that alerts look at from now on.

    Returns:
        What its objects' names begin with.

    Raises:
        StorageUnavailable: the bucket is away.
    """
    place = f"reports/{summary.created:%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:4]}/"
    for name, data in files.items():
        storage.write(f"{place}{name}", data)
    if latest:
        storage.write(LATEST, files["summary.json"])
    logger.info("The report on version %s is kept as %s in %s.", summary.version, place, storage.url)
    return place


def read_latest(storage: Storage) -> Summary | None:
    """The newest report on the version that serves; None where there is none yet.

    Raises:
        BrokenRecords: it cannot be read.
        StorageUnavailable: the bucket is away.
    """
    try:
        return Summary.model_validate_json(storage.read(LATEST).data)
    except NoSuchObject:
        return None
    except ValidationError as error:
        raise BrokenRecords(f"{LATEST} cannot be read: {explain(error)}. Make a new report.") from error


def zipped(files: dict[str, bytes]) -> bytes:
    """The files as one zip file."""
    data = BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return data.getvalue()
