"""HTML pages that are not Evidently's: the report's index, and pages that say what is missing."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from animals.api import FeatureDrift, Summary

_STYLE: Final = """
  :root { color-scheme: light dark; }
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
  table { border-collapse: collapse; margin: 1rem 0; display: block; overflow-x: auto; }
  td, th { padding: 0.25rem 0.75rem 0.25rem 0; text-align: left; vertical-align: top; }
  th { border-bottom: 1px solid #8888; } td.number { text-align: right; font-variant-numeric: tabular-nums; }
"""


def page(title: str, *parts: str) -> str:
    """Return a page of these parts, which are HTML already."""
    lines = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{escape(title)}</h1>",
        *parts,
        "</body>\n</html>\n",
    ]
    return "\n".join(lines)


def paragraphs(sentences: Iterable[str]) -> str:
    """Return a paragraph for each sentence."""
    return "\n".join(f"<p>{escape(sentence)}</p>" for sentence in sentences)


def notes(sentences: Sequence[str]) -> str:
    """Return the section above a page of Evidently's, which is always light."""
    style = "font: 16px/1.5 system-ui, sans-serif; color: #222; margin: 1.5rem 2rem; max-width: 60rem"
    return f'<section style="{style}">\n{paragraphs(sentences)}\n</section>'


def index(summary: Summary) -> str:
    """Return the first page of a report."""
    feedback = [(f"{day.date}", day.records, day.right) for day in summary.feedback.by_day]
    predictions = [(f"{day.date}", day.records, _number(day.median_milliseconds)) for day in summary.predictions.by_day]
    return page(
        f"Report on version {summary.version}",
        paragraphs([f"{_period(summary)} Created at {summary.created:%Y-%m-%d %H:%M} UTC."]),
        f"<h2>{'Retrain' if summary.decision.retrain else 'No need to retrain'}</h2>",
        paragraphs(summary.decision.reasons),
        '<p><a href="performance.html">Performance</a> · <a href="drift.html">Data quality and drift</a> · '
        '<a href="summary.json">All numbers</a></p>',
        "<h2>Feedback</h2>",
        paragraphs(feedback_sentences(summary)),
        _table(["day", "records", "right"], feedback),
        "<h2>Predictions</h2>",
        paragraphs(prediction_sentences(summary)),
        _table(["day", "predictions", "median ms"], predictions),
        "<h2>Drift</h2>",
        paragraphs([summary.drift.reason]),
        _drift_table(summary.drift.features) if summary.drift.features else "",
    )


def feedback_sentences(summary: Summary) -> list[str]:
    """Return the results of the feedback as sentences."""
    feedback = summary.feedback
    if feedback.accuracy is None or feedback.interval is None:
        sentences = ["There is no feedback yet."]
    else:
        low, high = feedback.interval
        sentences = [
            f"Accuracy on feedback: {feedback.accuracy:.1%} ({feedback.right} of {feedback.records} records, 95% "
            f"interval {low:.1%} to {high:.1%}). Test accuracy: {feedback.reference_accuracy:.1%}."
        ]
    if feedback.records < feedback.needed:
        missing = feedback.needed - feedback.records
        sentences.append(f"A performance report needs {feedback.needed} feedback records; {missing} are missing.")
    if others := {name: count for name, count in feedback.versions.items() if name != summary.version}:
        listed = ", ".join(f"{count} of {name}" for name, count in others.items())
        sentences.append(f"Feedback on other versions is not counted: {listed}.")
    if feedback.broken_count:
        more = ", …" if feedback.broken_count > len(feedback.broken) else ""
        sentences.append(f"{feedback.broken_count} broken records are rejected: {', '.join(feedback.broken)}{more}.")
    return sentences


def prediction_sentences(summary: Summary) -> list[str]:
    """Return the counts of the predictions as sentences."""
    predictions = summary.predictions
    sentences = [f"There are {predictions.records} predictions."]
    if predictions.broken_count:
        sentences.append(f"{predictions.broken_count} broken lines of the log are rejected.")
    return sentences


def sample_sentence(sampled: int, records: int, what: str) -> str:
    """Return how many of the records the plots show."""
    if sampled == records:
        return f"The plots show all {records} {what}."
    return f"The plots show a random sample of {sampled} of the {records} {what}; all other numbers count all of them."


def _period(summary: Summary) -> str:
    if summary.days == 1:
        return "Predictions of today (UTC)."
    return f"Predictions of the last {summary.days} days, including today (UTC)."


def _drift_table(features: Iterable[FeatureDrift]) -> str:
    return _table(
        ["feature", "test", "effect size", "threshold", "p-value", ""],
        [
            [f.feature, f.test, f"{f.statistic:.3f}", f"{f.threshold:g}", f"{f.p_value:.2g}", "drifted" * f.drifted]
            for f in features
        ],
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str | int]]) -> str:
    heads = "".join(f"<th>{escape(name)}</th>" for name in head)
    lines = "\n".join("<tr>" + "".join(map(_cell, row)) + "</tr>" for row in rows)
    return f"<table>\n<tr>{heads}</tr>\n{lines}\n</table>"


def _cell(value: str | int) -> str:
    return f'<td class="number">{value}</td>' if isinstance(value, int) else f"<td>{escape(value)}</td>"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
