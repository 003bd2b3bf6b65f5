"""The page's entry, which Streamlit runs for each visitor and at each click; `python -m animals.frontend` starts it."""

from functools import partial

import streamlit as st

from animals.config.settings import read_settings
from animals.frontend.classify_page import TITLE, show_asking
from animals.frontend.maintainer_page import show_maintaining
from animals.frontend.settings import PageSettings

ICON = ":material/image_search:"
# drawn here: the browser would fetch an icon by name from Google
FAVICON = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">
<rect width="16" height="16" rx="3" fill="#0d9488"/>
<path d="M2 13l4-6 3 4 2-2 3 4zM9 5a2 2 0 1 0 4 0a2 2 0 1 0-4 0z" fill="#fff"/>
</svg>
"""


def main() -> None:
    """Show the page that the visitor chose."""
    settings = read_settings(PageSettings)
    st.set_page_config(page_title=TITLE, page_icon=FAVICON, layout="centered")
    pages = [st.Page(partial(show_asking, settings), title=TITLE, url_path="ask", icon=ICON, default=True)]
    if settings.maintainer:
        show = partial(show_maintaining, settings)
        pages.append(st.Page(show, title="Maintainer", url_path="maintainer", icon=":material/monitoring:"))
    st.navigation(pages, position="top").run()


if __name__ == "__main__":
    main()
