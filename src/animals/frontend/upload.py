"""How pictures come to the page: uploaded, dropped, pasted, taken by the camera, or one of the examples."""

from collections.abc import Collection
from functools import cache
from importlib.resources import files
from typing import Final

import streamlit as st

from animals.frontend.picture import Picture
from animals.frontend.settings import PageSettings
from animals.frontend.text import begin

KINDS: Final = ("jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff")
"""Endings of the files that the backend reads."""

EXAMPLES: Final = files("animals.frontend") / "examples"
"""Pictures that are called as the label of what is on them."""

OTHER: Final = "tractor"
"""The one that is of none of the labels which the others are of."""

_CHOSEN: Final = "example"

# The uploader takes chosen and dropped files but no pasted ones; these are handed to its own input.
_PASTE: Final = """
export default function () {
    const paste = (event) => {
        const files = event.clipboardData?.files
        const input = document.querySelector('[data-testid="stFileUploader"] input[type="file"]')
        if (!files?.length || !input) return
        event.preventDefault()
        input.files = files
        input.dispatchEvent(new Event("change", { bubbles: true }))
    }
    // this runs again whenever the page is made anew; one listener is enough
    document.removeEventListener("paste", window.animalsPaste)
    window.animalsPaste = paste
    document.addEventListener("paste", paste)
}
"""


def gather_pictures(settings: PageSettings) -> list[Picture]:
    """Show all ways to bring a picture of one's own.

    Returns:
        What has been brought and is still there, the newest uploads first, each content once.
    """
    uploaded = st.file_uploader(
        "Drop pictures here, paste them, or choose files",
        KINDS,
        accept_multiple_files=True,
        max_upload_size=max(1, settings.max_upload_bytes // 2**20),
        on_change=_forget_example,
        key="uploads",
    )
    _accept_pasted_files()
    photo = st.camera_input("Camera") if st.toggle("Take a picture with the camera") else None
    pictures = [Picture(file.name, file.getvalue()) for file in reversed(uploaded)]
    if photo is not None:
        pictures.insert(0, Picture("camera.jpg", photo.getvalue()))
    if chosen := st.session_state.get(_CHOSEN):
        pictures.insert(0, example(chosen))
    return list({picture.digest: picture for picture in pictures}.values())


@cache
def example(name: str) -> Picture:
    """One of the pictures that come with the page."""
    return Picture(f"{name}.jpg", (EXAMPLES / f"{name}.jpg").read_bytes())


def _accept_pasted_files() -> None:
    st.components.v2.component("animals_paste", js=_PASTE)(key="paste", height=0)


def fitting_examples(labels: Collection[str]) -> list[str]:
    """Names of the examples for a model: those of its labels, and then one of none; none at all for other labels."""
    names = sorted(entry.name.removesuffix(".jpg") for entry in EXAMPLES.iterdir() if entry.name.endswith(".jpg"))
    fitting = [name for name in names if name in labels]
    return [*fitting, OTHER] if fitting and OTHER not in fitting else fitting


def offer_examples(labels: Collection[str]) -> None:
    """Show the examples that fit a model's labels, if any do."""
    names = fitting_examples(labels)
    if not names:
        return
    st.caption("Or try one of these:")
    with st.container(horizontal=True, gap="small"):
        for name in names:
            with st.container(width=96, gap="xsmall"):
                st.image(example(name).data, width="stretch", alt=f"Example: {name}")
                st.button(begin(name), key=f"example-{name}", on_click=_choose_example, args=(name,), width="stretch")


def _choose_example(name: str) -> None:
    st.session_state[_CHOSEN] = name


def _forget_example() -> None:
    st.session_state.pop(_CHOSEN, None)
