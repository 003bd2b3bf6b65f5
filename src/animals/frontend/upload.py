"""Pictures of the visitor: uploaded, dropped, pasted, taken with the camera, or one of the examples."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from io import BytesIO
from typing import Final

import streamlit as st

from animals.errors import PictureError
from animals.frontend import text
from animals.frontend.settings import PageSettings
from animals.preprocess import InputSpec, decode_picture

FILE_TYPES: Final = ("jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff")

EXAMPLES: Final = files("animals.frontend") / "examples"
"""Pictures whose names are their labels."""

UNKNOWN_EXAMPLE: Final = "tractor"
"""The example that has none of the labels of the others."""

PREVIEW_SIDE: Final = 480

# `decode_picture` keeps at least twice the side, and reads a large JPEG at a fraction of its size
_PREVIEW: Final = InputSpec(side=PREVIEW_SIDE // 2, mean=(0, 0, 0), std=(1, 1, 1), resize="squash")

_CHOSEN: Final = "example"

# Streamlit's uploader accepts chosen and dropped files only; this hands pasted files to its input.
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
    // this runs again at each rerun of the page; one listener is enough
    document.removeEventListener("paste", window.animalsPaste)
    window.animalsPaste = paste
    document.addEventListener("paste", paste)
}
"""


@dataclass(frozen=True)
class Picture:
    """A file as the visitor sent it."""

    name: str
    data: bytes

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content."""
        return hashlib.sha256(self.data).hexdigest()


def make_preview(data: bytes) -> bytes | None:
    """Return a small JPEG of a picture, without metadata; None if the picture cannot be decoded."""
    try:
        image = decode_picture(data, spec=_PREVIEW).image
    except PictureError:
        return None  # the backend's response gives the reason
    image.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
    image.info.clear()  # otherwise Pillow writes the comment of the original file
    file = BytesIO()
    image.save(file, "JPEG", quality=85)
    return file.getvalue()


def collect_pictures(settings: PageSettings) -> list[Picture]:
    """Show the uploader and the camera, and return the pictures, each content once.

    The chosen example is first, then the photo, then uploads from the newest.
    """
    uploads = st.file_uploader(
        text.UPLOAD_LABEL,
        FILE_TYPES,
        accept_multiple_files=True,
        max_upload_size=max(1, settings.max_upload_bytes // 2**20),
        on_change=_unset_example,
        key="uploads",
    )
    st.components.v2.component("animals_paste", js=_PASTE)(key="paste", height=0)
    photo = st.camera_input("Camera") if st.toggle(text.CAMERA_LABEL) else None
    pictures = [Picture(file.name, file.getvalue()) for file in reversed(uploads)]
    if photo is not None:
        pictures.insert(0, Picture("camera.jpg", photo.getvalue()))
    if chosen := st.session_state.get(_CHOSEN):
        pictures.insert(0, read_example(chosen))
    return list({picture.digest: picture for picture in pictures}.values())


@cache
def read_example(name: str) -> Picture:
    """Read one of the example pictures."""
    return Picture(f"{name}.jpg", (EXAMPLES / f"{name}.jpg").read_bytes())


def examples_for(labels: Collection[str]) -> list[str]:
    """Return the names of the examples with these labels, and then the unknown one; none if no label fits."""
    names = sorted(entry.name.removesuffix(".jpg") for entry in EXAMPLES.iterdir() if entry.name.endswith(".jpg"))
    known = [name for name in names if name in labels]
    return [*known, UNKNOWN_EXAMPLE] if known and UNKNOWN_EXAMPLE not in known else known


def offer_examples(labels: Collection[str]) -> None:
    """Show the examples for a model with these labels, each with a button."""
    names = examples_for(labels)
    if not names:
        return
    st.caption(text.EXAMPLES_LABEL)
    with st.container(horizontal=True, gap="small"):
        for name in names:
            with st.container(width=96, gap="xsmall"):
                st.image(read_example(name).data, width="stretch", alt=f"Example: {name}")
                label = text.capitalize(name)
                st.button(label, key=f"example-{name}", on_click=_set_example, args=(name,), width="stretch")


def _set_example(name: str) -> None:
    st.session_state[_CHOSEN] = name


def _unset_example() -> None:
    st.session_state.pop(_CHOSEN, None)
