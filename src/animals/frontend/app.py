"""The page's entry, which Streamlit runs for each visitor and at each click; `python -m animals.frontend` starts it."""

from functools import partial

import streamlit as st

from animals.config.page import PageSettings
from animals.config.services import read
from animals.frontend.asking import TITLE, show_asking
from animals.frontend.gathering import example
from animals.frontend.maintaining import show_maintaining

ICON = ":material/pets:"


def main() -> None:
    """Show the page that the visitor chose."""
    settings = read(PageSettings)
    favicon = example("butterfly").data  # the browser would fetch an icon by name from Google
    st.set_page_config(page_title=TITLE, page_icon=favicon, layout="centered")
    pages = [st.Page(partial(show_asking, settings), title=TITLE, url_path="ask", icon=ICON, default=True)]
    if settings.maintainer:
        show = partial(show_maintaining, settings)
        pages.append(st.Page(show, title="Maintainer", url_path="maintainer", icon=":material/monitoring:"))
    st.navigation(pages, position="top").run()


if __name__ == "__main__":
    main()
