"""The maintainer's page: which version serves, how it is asked, how it does, and whether to train again."""

from collections.abc import Callable
from typing import Final, TypeVar

import streamlit as st

from animals.errors import AnimalsError
from animals.frontend import clients
from animals.frontend.backend_client import Model
from animals.frontend.backend_metrics import Traffic, read_traffic
from animals.frontend.charts import accuracy_by_day, answers_by_day, count_bars
from animals.frontend.error_box import show_trouble
from animals.frontend.report_client import Decision, Drift, FeedbackFigures, Summary
from animals.frontend.settings import PageSettings
from animals.frontend.text import day, percent, plain, seconds

T = TypeVar("T")

DAYS: Final = (7, 30, 90)


def show_maintaining(settings: PageSettings) -> None:
    """Show all of it; a part that cannot be had says so, and the others are there."""
    st.title("How it does")
    st.subheader("Model", anchor=False)
    if model := _try("model", lambda: clients.backend(settings).model()):
        _show_model(model)
    st.subheader("Traffic", anchor=False)
    if traffic := _try("traffic", lambda: read_traffic(clients.backend(settings).metrics())):
        _show_traffic(traffic)
    st.subheader("Over time", anchor=False)
    days = st.segmented_control("Last days", DAYS, default=DAYS[0], required=True, key="days")
    if summary := _try("summary", lambda: _summary(settings, days)):
        _show_summary(summary)
    st.subheader("Report", anchor=False)
    _offer_report(settings, days)


def _try(key: str, get: Callable[[], T]) -> T | None:
    """What there is to be had, or a word about why there is none."""
    try:
        return get()
    except AnimalsError as error:
        show_trouble(error, f"again-{key}")
        return None


def _summary(settings: PageSettings, days: int) -> Summary:
    with st.spinner("Asking the report function…"):
        return clients.reports(settings).summary(days)


def _show_model(model: Model) -> None:
    told = [f"**Version {plain(model.version)}**", plain(model.architecture)]
    if model.created:
        told.append(f"made on {day(model.created)}")
    if model.promoted:
        told.append(f"serves since {day(model.promoted)}")
    st.markdown(" · ".join(filter(None, told)))
    figures: dict[str, str] = {}
    if model.metrics:
        figures["Right on test pictures"] = percent(model.metrics.accuracy)
        figures["Macro F1"] = f"{model.metrics.f1_macro:.3f}"
    if model.unknown_below is not None:
        figures["None of the labels under"] = percent(model.unknown_below)
    _show_figures(figures)
    if model.metrics and model.metrics.per_label:
        with st.expander(f"By label, on {model.metrics.pictures:,} test pictures"):
            st.dataframe(
                [
                    {"label": label, "precision": of.precision, "recall": of.recall, "pictures": of.pictures}
                    for label, of in model.metrics.per_label.items()
                ],
                hide_index=True,
                column_config=dict.fromkeys(("precision", "recall"), st.column_config.NumberColumn(format="percent")),
            )


def _show_traffic(traffic: Traffic) -> None:
    failed = sum(count for status, count in traffic.statuses.items() if status.startswith("5"))
    _show_figures(
        {
            "Answers": f"{sum(traffic.answers.values()):,}",
            "Half within": _seconds(traffic.median_seconds),
            "95 % within": _seconds(traffic.p95_seconds),
            "Failed": f"{failed:,}",
            "Refused, being busy": f"{traffic.shed:,}",
        }
    )
    if any(traffic.answers.values()):
        st.altair_chart(count_bars(traffic.answers), width="stretch")
    if traffic.since:
        st.caption(f"Of one instance, since it started at {traffic.since:%H:%M} on {day(traffic.since)} (UTC).")


def _show_summary(summary: Summary) -> None:
    if summary.predictions.records:
        st.markdown("**Answers a day**")
        asked = [(each.date, each.records) for each in summary.predictions.by_day]
        st.altair_chart(answers_by_day(asked), width="stretch")
    st.markdown("**What people say**")
    _show_feedback(summary.feedback)
    st.subheader("Drift", anchor=False)
    if summary.drift:
        _show_drift(summary.drift, summary.days_drifted)
    st.subheader("Train again?", anchor=False)
    if summary.decision:
        _show_decision(summary.decision)


def _show_feedback(feedback: FeedbackFigures) -> None:
    figures = {"Judged": f"{feedback.records:,}", "Right": f"{feedback.right:,}"}
    if feedback.accuracy is not None:
        figures["Share"] = percent(feedback.accuracy)
    if feedback.interval:
        figures["95 % interval"] = " to ".join(percent(end) for end in feedback.interval)
    if feedback.reference_accuracy is not None:
        figures["On test pictures"] = percent(feedback.reference_accuracy)
    _show_figures(figures)
    if feedback.records:
        days = [(each.date, each.records, each.right) for each in feedback.by_day]
        st.altair_chart(accuracy_by_day(days, feedback.reference_accuracy), width="stretch")
    if feedback.records < feedback.needed:
        st.caption(f"{feedback.needed:,} judgements are needed before the report compares them with the test pictures.")
    if feedback.broken_count:
        st.caption(f"{feedback.broken_count:,} records cannot be read; the report names them.")


def _show_drift(drift: Drift, days: int) -> None:
    show, icon = (st.warning, ":material/trending_up:") if drift.drifted else (st.info, ":material/trending_flat:")
    lasting = f" For {days} days now." if drift.drifted and days > 1 else ""
    show(plain(drift.reason) + lasting, icon=icon)
    if drift.features:
        with st.expander("What was compared"):
            st.dataframe([feature.model_dump() for feature in drift.features], hide_index=True)


def _show_decision(decision: Decision) -> None:
    show, icon = (st.warning, ":material/autorenew:") if decision.retrain else (st.success, ":material/check_circle:")
    answer = "Yes." if decision.retrain else "No."
    show("\n".join([f"**{answer}**", "", *(f"- {plain(reason)}" for reason in decision.reasons)]), icon=icon)


def _offer_report(settings: PageSettings, days: int) -> None:
    made: dict[int, bytes | None] = st.session_state.setdefault("archives", {})
    if st.button("Make the report", icon=":material/summarize:", key="make-report"):
        made.clear()
        with st.spinner("Making the report; this takes a minute at most…"):
            made[days] = _try("report", lambda: clients.reports(settings).archive(days))
    if archive := made.get(days):
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


def _seconds(duration: float | None) -> str:
    return "none yet" if duration is None else seconds(duration)
