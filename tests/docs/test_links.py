"""Links lead somewhere: in the repository, and in the site that is made of it."""

import logging
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from markdown import Markdown
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from docs.generate.links import Links
from tests.docs.pages import PAGES, links, name


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_relative_link_leads_to_a_file(page: Path) -> None:
    relative = [link for link in map(urlsplit, links(page)) if link.path and not link.scheme and not link.netloc]
    assert [link.path for link in relative if not (page.parent / link.path).exists()] == []


def rendered(markdown: str, page: str = "design/one.md", *others: str, repository: str = "") -> str:
    """Return the HTML of a page's text, and the files that it adds to the site."""
    config = MkDocsConfig()
    config.load_dict({"site_name": "animals", "extra": {"repository": repository}, "plugins": []})
    assert config.validate() == ([], [])
    config.plugins._current_plugin = "links"  # as while MkDocs calls a hook
    config.site_dir = "site"
    processor = Links(config)
    file = File(page, "docs", "site", use_directory_urls=True)
    processor.files = Files([file, *(File(other, "docs", "site", use_directory_urls=True) for other in others)])
    processor.page = Page(None, file, config)
    html = Markdown(extensions=[processor]).convert(markdown)
    return html + " ".join(sorted(set(processor.files.src_uris) - {page, *others}))


@pytest.mark.parametrize(
    ("link", "page", "other", "expected"),
    [
        ("two.md#part", "design/one.md", "design/two.md", 'href="two.md#part"'),
        ("../../CHANGELOG.md#a", "design/one.md", "repository/CHANGELOG.md", 'href="../repository/CHANGELOG.md#a"'),
        ("../docs/design/two.md", "repository/reports/README.md", "design/two.md", 'href="../../design/two.md"'),
        ("../../src/animals/errors.py", "design/one.md", "", 'title="src/animals/errors.py in the repository"'),
    ],
)
def test_a_link_leads_to_the_page_in_the_site_or_is_plain_text(link: str, page: str, other: str, expected: str) -> None:
    assert expected in rendered(f"[link]({link})", page, *filter(None, [other]))


def test_a_picture_from_outside_docs_is_copied_into_the_site() -> None:
    html = rendered("![page](../../reports/figures/page_answer.png)")
    assert 'src="../repository/reports/figures/page_answer.png"' in html
    assert html.endswith("repository/reports/figures/page_answer.png")


def test_source_code_is_linked_in_the_repository_if_its_url_is_known() -> None:
    html = rendered("[errors](../../src/animals/errors.py#L1)", repository="https://example.org/blob/main/")
    assert '<a href="https://example.org/blob/main/src/animals/errors.py#L1">' in html


@pytest.mark.parametrize("link", ["../../src/animals/no_such.py", "../../../elsewhere.md"])
def test_a_missing_file_is_a_warning_which_fails_a_strict_build(link: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "mkdocs"):
        rendered(f"[gone]({link})")
    assert "which the repository does not have" in caplog.text
