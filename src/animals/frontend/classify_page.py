"""The page for visitors: they upload pictures, read predictions and give feedback."""

import streamlit as st

from animals.api import ModelInfo
from animals.errors import AnimalsError
from animals.frontend import text
from animals.frontend.charts import probability_bars
from animals.frontend.clients import Backend, connect_backend
from animals.frontend.feedback_form import show_feedback_form
from animals.frontend.session import Session, TimedPrediction
from animals.frontend.settings import PageSettings
from animals.frontend.text import PredictionText, describe_prediction, escape_markdown, show_error
from animals.frontend.upload import Picture, collect_pictures, offer_examples


def show_classify_page(settings: PageSettings) -> None:
    """Show the uploader, and a prediction for each picture."""
    session = st.session_state.setdefault("session", Session())
    st.title(text.CLASSIFY_TITLE)
    introduction = st.container()
    pictures = collect_pictures(settings)
    examples = st.container()
    try:
        backend = connect_backend(settings)
        model = backend.model()
    except AnimalsError as error:
        show_error(error, "again-model", session.forget_failures, (pictures,))
        return
    with introduction:
        _show_introduction(model)
    with examples:
        offer_examples(model.labels)
    for picture in pictures:
        with st.container(border=True):
            _show_result(session, backend, model, picture)


def _show_introduction(model: ModelInfo) -> None:
    labels = escape_markdown(text.join_labels(model.labels))
    st.markdown(text.CLASSIFY_INTRODUCTION.format(labels=labels))
    if model.data_title:
        st.caption(text.TRAINED_ON.format(title=escape_markdown(model.data_title)))


@st.fragment
def _show_result(session: Session, backend: Backend, model: ModelInfo, picture: Picture) -> None:
    with st.spinner(text.CLASSIFYING):
        result = session.classify(backend, picture)
    left, right = st.columns([2, 3], gap="medium")
    with left:
        _show_picture(session, picture)
    with right:
        if isinstance(result, AnimalsError):
            show_error(result, f"again-{picture.digest[:12]}", session.forget_failures, ([picture],))
            return
        shown = _show_prediction(result, model)
    show_feedback_form(session, backend, picture, result.prediction, rejected=shown.kind == "rejected")


def _show_picture(session: Session, picture: Picture) -> None:
    preview = session.preview(picture)
    if preview is None:
        st.markdown(escape_markdown(picture.name))
    else:
        st.image(preview, caption=escape_markdown(picture.name), width="stretch", alt=picture.name)


def _show_prediction(result: TimedPrediction, model: ModelInfo) -> PredictionText:
    prediction = result.prediction
    # another version may have been promoted since, and a threshold holds for its own version only
    threshold = model.unknown_below if model.version == prediction.model_version else 0.0
    shown = describe_prediction(prediction, threshold)
    st.subheader(escape_markdown(shown.title), anchor=False)
    st.markdown(escape_markdown(shown.detail))
    st.altair_chart(probability_bars(prediction.probabilities), width="stretch")
    version, duration = escape_markdown(prediction.model_version), text.format_duration(result.seconds)
    st.caption(text.CLASSIFIED.format(version=version, duration=duration))
    return shown
