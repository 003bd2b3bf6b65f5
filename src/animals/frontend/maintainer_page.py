"""The page for maintainers: the served version, its requests, feedback, drift and the decision to retrain."""

from collections.abc import Callable
from typing import Final, TypeVar

import streamlit as st

from animals.api import Decision, Drift, FeedbackSummary, ModelInfo, Summary
from animals.errors import AnimalsError
from animals.frontend import text
from animals.frontend.backend_metrics import BackendMetrics, parse_metrics
from animals.frontend.charts import accuracy_by_day, count_bars, predictions_by_day
from animals.frontend.clients import connect_backend, connect_report_function
from animals.frontend.settings import PageSettings
from animals.frontend.text import escape_markdown, format_date, format_duration, format_percent, show_error

T = TypeVar("T")

PERIODS: Final = (7, 30, 90)


def show_maintainer_page(settings: PageSettings) -> None:
    """Show all sections; one whose figures cannot be loaded shows the error instead."""
    st.title(text.MAINTAINER_TITLE)
    st.subheader("Served version", anchor=False)
    if model := _load("model", lambda: connect_backend(settings).model()):
        _show_model(model)
    st.subheader("Requests", anchor=False)
    if metrics := _load("metrics", lambda: parse_metrics(connect_backend(settings).metrics())):
        _show_metrics(metrics)
    st.subheader("Predictions and feedback", anchor=False)
    days = st.segmented_control("Last days", PERIODS, default=PERIODS[0], required=True, key="days")
    if summary := _load("summary", lambda: _load_summary(settings, days)):
        _show_summary(summary)
    st.subheader("Report", anchor=False)
    _offer_report(settings, days)


def _load(key: str, load: Callable[[], T]) -> T | None:
    """Return what `load` returns; on an error show it and return None."""
    try:
        return load()
    except AnimalsError as error:
        show_error(error, f"again-{key}")
        return None


def _load_summary(settings: PageSettings, days: int) -> Summary:
    with st.spinner(text.LOADING_SUMMARY):
        return connect_report_function(settings).summary(days)


def _show_model(model: ModelInfo) -> None:
    parts = [
        f"**{escape_markdown(model.version)}**",
        escape_markdown(model.architecture),
        f"created {format_date(model.created)}",
        f"promoted {format_date(model.promoted)}",
    ]
    st.markdown(" · ".join(parts))
    figures = {"Test accuracy": format_percent(model.metrics.accuracy), "Macro F1": f"{model.metrics.f1_macro:.3f}"}
    if model.unknown_below:
        figures["Rejection threshold"] = format_percent(model.unknown_below)
    _show_figures(figures)
    with st.expander(f"Precision and recall by label, on {model.metrics.pictures:,} test pictures"):
        rows = [{"label": label, **metrics.model_dump()} for label, metrics in model.metrics.per_label.items()]
        percent = st.column_config.NumberColumn(format="percent")
        st.dataframe(rows, hide_index=True, column_config=dict.fromkeys(("precision", "recall", "f1"), percent))


def _show_metrics(metrics: BackendMetrics) -> None:
    _show_figures(
        {
            "Predictions": f"{sum(metrics.predictions.values()):,}",
            "p50": format_duration(metrics.p50_seconds),
            "p95": format_duration(metrics.p95_seconds),
            "Errors": f"{metrics.errors:,}",
            "Rejected": f"{metrics.rejected:,}",
        }
    )
    if any(metrics.predictions.values()):
        st.altair_chart(count_bars(metrics.predictions), width="stretch")
    if metrics.started:
        st.caption(text.INSTANCE.format(time=metrics.started, date=format_date(metrics.started)))


def _show_summary(summary: Summary) -> None:
    if summary.predictions.records:
        st.markdown("**Predictions per day**")
        st.altair_chart(predictions_by_day(summary.predictions.by_day), width="stretch")
    st.markdown("**Feedback**")
    _show_feedback(summary.feedback)
    st.subheader("Drift", anchor=False)
    _show_drift(summary.drift, summary.days_drifted)
    st.subheader("Retraining", anchor=False)
    _show_decision(summary.decision)


def _show_feedback(feedback: FeedbackSummary) -> None:
    figures = {"Records": f"{feedback.records:,}", "Correct": f"{feedback.right:,}"}
    if feedback.accuracy is not None and feedback.interval is not None:
        figures["Accuracy"] = format_percent(feedback.accuracy)
        figures["95 % interval"] = " to ".join(format_percent(end) for end in feedback.interval)
    figures["Test accuracy"] = format_percent(feedback.reference_accuracy)
    _show_figures(figures)
    if feedback.records:
        st.altair_chart(accuracy_by_day(feedback.by_day, feedback.reference_accuracy), width="stretch")
    if feedback.records < feedback.needed:
        st.caption(text.FEEDBACK_NEEDED.format(needed=feedback.needed))
    if feedback.broken_count:
        st.caption(text.FEEDBACK_BROKEN.format(count=feedback.broken_count))


def _show_drift(drift: Drift, days: int) -> None:
    show, icon = (st.warning, ":material/trending_up:") if drift.drifted else (st.info, ":material/trending_flat:")
    duration = f" Drift for {days} days." if drift.drifted and days > 1 else ""
    show(escape_markdown(drift.reason) + duration, icon=icon)
    if drift.features:
        with st.expander("Drift by feature"):
            st.dataframe([feature.model_dump() for feature in drift.features], hide_index=True)


def _show_decision(decision: Decision) -> None:
    show, icon = (st.warning, ":material/autorenew:") if decision.retrain else (st.success, ":material/check_circle:")
    result = text.RETRAIN if decision.retrain else text.NO_RETRAIN
    show("\n".join([result, "", *(f"- {escape_markdown(reason)}" for reason in decision.reasons)]), icon=icon)


def _offer_report(settings: PageSettings, days: int) -> None:
    archives: dict[int, bytes | None] = st.session_state.setdefault("archives", {})
    if st.button("Create report", icon=":material/summarize:", key="make-report"):
        archives.clear()
        with st.spinner(text.MAKING_REPORT):
            archives[days] = _load("report", lambda: connect_report_function(settings).archive(days))
    if archive := archives.get(days):
        st.download_button(
            "Download reports.zip",
            archive,
            file_name="reports.zip",
            mime="application/zip",
            icon=":material/download:",
            type="primary",
            on_click="ignore",
        )


def _show_figures(figures: dict[str, str]) -> None:
    with st.container(horizontal=True, gap="medium"):
        for name, value in figures.items():
            st.metric(name, value, width="content")
