"""Entry script of the page: Streamlit runs it for each visitor and at each click."""

import streamlit as st

from animals.config.settings import read_settings
from animals.frontend import text
from animals.frontend.classify_page import show_classify_page
from animals.frontend.maintainer_page import show_maintainer_page
from animals.frontend.settings import PageSettings

# inline, because the browser would fetch an icon by name from Google
FAVICON = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">
<rect width="16" height="16" rx="3" fill="#0d9488"/>
<path d="M2 13l4-6 3 4 2-2 3 4zM9 5a2 2 0 1 0 4 0a2 2 0 1 0-4 0z" fill="#fff"/>
</svg>
"""


def main() -> None:
    """Show the page that the visitor chose."""
    settings = read_settings(PageSettings)
    st.set_page_config(page_title=text.CLASSIFY_TITLE, page_icon=FAVICON, layout="centered")
    pages = [
        st.Page(
            lambda: show_classify_page(settings),
            title=text.CLASSIFY_TITLE,
            url_path="classify",
            icon=":material/image_search:",
            default=True,
        )
    ]
    if settings.maintainer:
        pages.append(
            st.Page(
                lambda: show_maintainer_page(settings),
                title=text.MAINTAINER_TITLE,
                url_path="maintainer",
                icon=":material/monitoring:",
            )
        )
    st.navigation(pages, position="top").run()


if __name__ == "__main__":
    main()
