"""The form for feedback on a prediction, and the result of sending it."""

import streamlit as st

from animals.api import FeedbackResponse, Prediction
from animals.errors import AnimalsError
from animals.frontend import text
from animals.frontend.clients import Backend
from animals.frontend.session import Feedback, Session
from animals.frontend.text import escape_markdown, show_error
from animals.frontend.upload import Picture


def show_feedback_form(
    session: Session, backend: Backend, picture: Picture, prediction: Prediction, *, rejected: bool
) -> None:
    """Ask whether a prediction is correct, or show the feedback that was given.

    A rejected prediction is shown as none of the labels.
    """
    key = prediction.prediction_id[-24:]
    feedback = session.feedback.get(prediction.prediction_id)
    if feedback is None:
        _show_questions(session, prediction, key, rejected=rejected)
        return
    with st.spinner(text.SENDING_FEEDBACK):
        session.send_feedback(feedback, backend, prediction, picture)
    if isinstance(feedback.result, AnimalsError):
        st.markdown(text.FEEDBACK_FAILED)
        show_error(feedback.result, f"again-{key}", _reset_failure, (feedback,))
    elif feedback.result:
        _show_stored(feedback.result)
    st.button(
        text.CHANGE_FEEDBACK,
        key=f"back-{key}",
        icon=":material/undo:",
        type="tertiary",
        on_click=session.withdraw_feedback,
        args=(prediction,),
    )


def _show_questions(session: Session, prediction: Prediction, key: str, *, rejected: bool) -> None:
    if rejected:  # "Yes" would be ambiguous: it could confirm the rejection or the closest label
        _show_labels(text.QUESTION_REJECTED, list(prediction.probabilities), session, prediction, key)
    elif _is_denied(session, prediction, key):
        others = [label for label in prediction.probabilities if label != prediction.prediction]
        _show_labels(text.QUESTION_LABEL, others, session, prediction, key)
    st.checkbox(text.KEEP_PICTURE, key=f"keep-{key}", help=text.KEEP_PICTURE_HELP)


def _is_denied(session: Session, prediction: Prediction, key: str) -> bool:
    """Show the buttons Yes and No, and return whether No was clicked."""
    denied_key = f"denied-{key}"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(text.QUESTION, width="content")
        args = (session, prediction, key, None)
        st.button("Yes", key=f"yes-{key}", icon=":material/thumb_up:", on_click=_give_feedback, args=args)
        if st.button("No", key=f"no-{key}", icon=":material/thumb_down:"):
            st.session_state[denied_key] = True
    return bool(st.session_state.get(denied_key))


def _show_labels(question: str, labels: list[str], session: Session, prediction: Prediction, key: str) -> None:
    label_key = f"label-{key}"
    args = (session, prediction, key, label_key)
    st.pills(question, sorted(labels), format_func=escape_markdown, key=label_key, on_change=_give_feedback, args=args)


def _give_feedback(session: Session, prediction: Prediction, key: str, label_key: str | None) -> None:
    label = st.session_state.get(label_key) if label_key else prediction.prediction
    if label is not None:
        session.give_feedback(prediction, label, keep_picture=bool(st.session_state.get(f"keep-{key}")))


def _reset_failure(feedback: Feedback) -> None:
    if isinstance(feedback.result, AnimalsError):  # a second click may follow the success of the first one
        feedback.result = None


def _show_stored(stored: FeedbackResponse) -> None:
    picture = text.PICTURE_STORED if stored.picture else text.PICTURE_NOT_STORED
    message = text.FEEDBACK_STORED.format(label=escape_markdown(stored.label), picture=picture)
    st.success(message, icon=":material/check_circle:")
