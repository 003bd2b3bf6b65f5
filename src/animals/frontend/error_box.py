"""What is said when something did not work."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from animals.errors import AnimalsError, RequestRefused
from animals.frontend.text import plain


def show_trouble(
    error: AnimalsError, key: str, on_retry: Callable[..., None] | None = None, args: tuple[Any, ...] = ()
) -> None:
    """Say what happened, with a button to try again where that may help.

    Args:
        error: what happened.
        key: of the button.
        on_retry: called before the page is made anew.
        args: of that.
    """
    if isinstance(error, RequestRefused):
        st.error(plain(str(error)), icon=":material/block:")
        return
    st.warning(plain(str(error)), icon=":material/cloud_off:")
    st.button("Try again", key=key, icon=":material/refresh:", on_click=on_retry, args=args)
