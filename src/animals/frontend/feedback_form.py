"""Was that right? What a person says about an answer, and what became of it."""

import streamlit as st

from animals.errors import ServiceError
from animals.frontend.backend_client import Answer, Backend, Stored
from animals.frontend.error_box import show_trouble
from animals.frontend.picture import Picture
from animals.frontend.session import Conversation, Judgement
from animals.frontend.text import Kind, percent, plain


def show_judging(talk: Conversation, backend: Backend, picture: Picture, answer: Answer, kind: Kind) -> None:
    """Ask whether an answer is right, or say what was stored.

    Args:
        talk: keeps what is said.
        backend: gets it.
        picture: that the answer is about.
        answer: that is judged.
        kind: how the answer was put.
    """
    key = answer.prediction_id[-24:]
    judgement = talk.judgements.get(answer.prediction_id)
    if judgement is None:
        _ask(talk, answer, kind, key)
        return
    with st.spinner("Storing what you say…"):
        talk.send(judgement, backend, answer, picture)
    if isinstance(judgement.outcome, ServiceError):
        st.markdown("**Not stored.**")
        show_trouble(judgement.outcome, f"again-{key}", _again, (judgement,))
        _offer_another_word(talk, answer, key)
    elif judgement.outcome:
        _confirm(answer, judgement.outcome)
        _offer_another_word(talk, answer, key)


def _ask(talk: Conversation, answer: Answer, kind: Kind, key: str) -> None:
    if kind == "none":  # a yes would be a yes to that, and not to the label that comes nearest
        _offer_labels("Is it one of them after all?", list(answer.probabilities), talk, answer, key)
    elif _ask_yes_or_no(talk, answer, key):
        others = [label for label in answer.probabilities if label != answer.prediction]
        _offer_labels("What is it?", others, talk, answer, key)
    st.checkbox(
        "Keep the picture too, to train on",
        key=f"keep-{key}",
        help="Then the picture is stored with your answer, without what your camera wrote into it. "
        "Otherwise only your answer is stored, and the picture is forgotten.",
    )


def _ask_yes_or_no(talk: Conversation, answer: Answer, key: str) -> bool:
    """Whether the answer was no."""
    wrong_key = f"wrong-{key}"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("**Was that right?**", width="content")
        st.button("Yes", key=f"yes-{key}", icon=":material/thumb_up:", on_click=_judge, args=(talk, answer, key, None))
        if st.button("No", key=f"no-{key}", icon=":material/thumb_down:"):
            st.session_state[wrong_key] = True
    return bool(st.session_state.get(wrong_key))


def _offer_labels(question: str, labels: list[str], talk: Conversation, answer: Answer, key: str) -> None:
    label_key = f"label-{key}"
    st.pills(
        question,
        sorted(labels),
        format_func=plain,
        key=label_key,
        on_change=_judge,
        args=(talk, answer, key, label_key),
    )


def _judge(talk: Conversation, answer: Answer, key: str, label_key: str | None) -> None:
    label = st.session_state.get(label_key) if label_key else answer.prediction
    if label is not None:
        talk.judge(answer, label, keep=bool(st.session_state.get(f"keep-{key}")))


def _again(judgement: Judgement) -> None:
    if isinstance(judgement.outcome, ServiceError):  # a second click may come after the first one's success
        judgement.outcome = None


def _confirm(answer: Answer, stored: Stored) -> None:
    kept = "The picture is stored too." if stored.picture else "The picture is not stored."
    said = f"version {answer.model_version} said {answer.prediction} with {percent(answer.confidence)}"
    st.success(
        f"Thank you. Stored: you say **{plain(stored.label)}**; {plain(said)}. {kept}",
        icon=":material/check_circle:",
    )


def _offer_another_word(talk: Conversation, answer: Answer, key: str) -> None:
    st.button(
        "Change what I said",
        key=f"back-{key}",
        icon=":material/undo:",
        type="tertiary",
        on_click=talk.take_back,
        args=(answer,),
    )
