"""The pages that are not Evidently's: the report's first one, and those that say why there is nothing to show."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from animals.monitoring.summary import FeatureDrift, Summary

_STYLE: Final = """
  :root { color-scheme: light dark; }
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
  table { border-collapse: collapse; margin: 1rem 0; display: block; overflow-x: auto; }
  td, th { padding: 0.25rem 0.75rem 0.25rem 0; text-align: left; vertical-align: top; }
  th { border-bottom: 1px solid #8888; } td.number { text-align: right; font-variant-numeric: tabular-nums; }
"""


def page(title: str, *parts: str) -> str:
    """A whole page of these parts, which are HTML already."""
    lines = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{escape(title)}</h1>",
        *parts,
        "</body>\n</html>\n",
    ]
    return "\n".join(lines)


def paragraphs(sentences: Iterable[str]) -> str:
    """Each sentence for itself."""
    return "\n".join(f"<p>{escape(sentence)}</p>" for sentence in sentences)


def notes(sentences: Sequence[str]) -> str:
    """Sentences to stand above a page of Evidently's, which is always light."""
    style = "font: 16px/1.5 system-ui, sans-serif; color: #222; margin: 1.5rem 2rem; max-width: 60rem"
    return f'<section style="{style}">\n{paragraphs(sentences)}\n</section>'


def index(summary: Summary) -> str:
    """The first page of a report."""
    return page(
        f"Report on version {summary.version}",
        paragraphs([f"{_period(summary)} Made at {summary.created:%Y-%m-%d %H:%M} UTC."]),
        f"<h2>{'Train again' if summary.decision.retrain else 'No need to train again'}</h2>",
        paragraphs(summary.decision.reasons),
        '<p><a href="performance.html">Performance</a> · <a href="drift.html">Data quality and drift</a> · '
        '<a href="summary.json">All numbers</a></p>',
        "<h2>Feedback</h2>",
        paragraphs(feedback_sentences(summary)),
        _table(["day", "judged", "right"], [[f"{d.date}", d.records, d.right] for d in summary.feedback.by_day]),
        "<h2>Predictions</h2>",
        paragraphs(prediction_sentences(summary)),
        _table(
            ["day", "answers", "median ms"],
            [[f"{d.date}", d.records, _number(d.median_milliseconds)] for d in summary.predictions.by_day],
        ),
        "<h2>Drift</h2>",
        paragraphs([summary.drift.reason]),
        drift_table(summary.drift.features) if summary.drift.features else "",
    )


def feedback_sentences(summary: Summary) -> list[str]:
    """What people said, in words."""
    feedback = summary.feedback
    if feedback.accuracy is None or feedback.interval is None:
        sentences = [f"Nobody has judged an answer yet; {feedback.needed} judged answers make a performance report."]
    else:
        low, high = feedback.interval
        sentences = [
            f"{feedback.right} of {feedback.records} judged answers were right: {feedback.accuracy:.1%} (95% interval "
            f"{low:.1%} to {high:.1%}). Of those to the test pictures {feedback.reference_accuracy:.1%} are."
        ]
        if feedback.records < feedback.needed:
            missing = feedback.needed - feedback.records
            sentences.append(f"That is too little for a performance report: {missing} more are needed.")
    if others := {name: count for name, count in feedback.versions.items() if name != summary.version}:
        listed = ", ".join(f"{count} of {name}" for name, count in others.items())
        sentences.append(f"Not counted are judgements on answers of other versions: {listed}.")
    if feedback.broken_count:
        more = " and others" if feedback.broken_count > len(feedback.broken) else ""
        sentences.append(f"Broken and left out: {feedback.broken_count}, namely {', '.join(feedback.broken)}{more}.")
    return sentences


def prediction_sentences(summary: Summary) -> list[str]:
    """What was answered, in words."""
    predictions = summary.predictions
    sentences = [f"{predictions.records} pictures were answered."]
    if predictions.broken_count:
        sentences.append(f"Broken and left out: {predictions.broken_count} lines of the log.")
    return sentences


def drawn(sampled: int, records: int, what: str) -> str:
    """How many of them the plots are made of."""
    if sampled == records:
        return f"Made of all {records} {what}."
    return f"Made of {sampled} of the {records} {what}, drawn at random; counts and shares elsewhere are of all."


def _period(summary: Summary) -> str:
    if summary.days == 1:
        return "What was answered today, by UTC."
    return f"What was answered in the last {summary.days} days, today included, by UTC."


def drift_table(features: Iterable[FeatureDrift]) -> str:
    """What each test found."""
    return _table(
        ["of", "test", "size", "limit", "chance", ""],
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
