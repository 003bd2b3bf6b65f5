"""The page on which people ask what is on their pictures."""

import streamlit as st

from animals.errors import AnimalsError
from animals.frontend import clients
from animals.frontend.backend_client import Answered, Backend, Model
from animals.frontend.charts import probability_bars
from animals.frontend.error_box import show_trouble
from animals.frontend.feedback_form import show_judging
from animals.frontend.picture import Picture
from animals.frontend.session import Conversation
from animals.frontend.settings import PageSettings
from animals.frontend.text import Verdict, listed, plain, seconds, verdict
from animals.frontend.upload import gather_pictures, offer_examples

TITLE = "What is on it?"


def show_asking(settings: PageSettings) -> None:
    """Let people bring pictures, and show the answers."""
    talk = st.session_state.setdefault("conversation", Conversation())
    st.title(TITLE)
    subtitle = st.empty()
    pictures = gather_pictures(settings)
    examples = st.container()  # filled once it is known what the model knows
    try:
        backend = clients.backend(settings)
        model = backend.model()
    except AnimalsError as error:
        show_trouble(error, "again-model", talk.forget_failures, (pictures,))
        return
    subtitle.markdown(f"Bring a picture. I tell {plain(listed(model.labels))} apart.")
    with examples:
        offer_examples(model.labels)
    for picture in pictures:
        with st.container(border=True):
            _show_answer(talk, backend, model, picture)


@st.fragment
def _show_answer(talk: Conversation, backend: Backend, model: Model, picture: Picture) -> None:
    with st.spinner("Looking at it…"):
        found = talk.ask(backend, picture)
    if isinstance(found, AnimalsError):
        _show_picture(talk, picture)
        show_trouble(found, f"again-{picture.digest[:12]}", talk.forget_failures, ([picture],))
        return
    left, right = st.columns([2, 3], gap="medium")
    with left:
        _show_picture(talk, picture)
    with right:
        said = _show_words(found, model)
    show_judging(talk, backend, picture, found.answer, said.kind)


def _show_picture(talk: Conversation, picture: Picture) -> None:
    small = talk.preview(picture)
    if small is None:
        st.markdown(plain(picture.name))
    else:
        st.image(small, caption=plain(picture.name), width="stretch", alt=picture.name)


def _show_words(found: Answered, model: Model) -> Verdict:
    answer = found.answer
    # another version may have been promoted since, whose threshold says nothing about this answer
    threshold = model.unknown_below if model.version == answer.model_version else None
    said = verdict(answer, threshold)
    st.subheader(plain(said.title), anchor=False)
    st.markdown(plain(said.words))
    st.altair_chart(probability_bars(answer.probabilities), width="stretch")
    st.caption(f"Version {plain(answer.model_version)} answered in {seconds(found.seconds)}.")
    return said
