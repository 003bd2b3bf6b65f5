"""Links lead somewhere: in the repository, and in the site that is made of it."""

import logging
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from markdown import Markdown
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from docs.generate.links import ROOT, Links
from docs.generate.pages import PAGES as GENERATED
from tests.docs.pages import PAGES, links, name

HOSTS = {
    "aws.amazon.com",
    "cloud.google.com",
    "console.cloud.google.com",
    "docs.cloud.google.com",
    "creativecommons.org",
    "developer.mozilla.org",
    "docs.docker.com",
    "docs.github.com",
    "docs.ray.io",
    "github.com",
    "huggingface.co",
    "iconify.design",
    "keepachangelog.com",
    "prometheus.io",
    "semver.org",
    "squidfunk.github.io",
    "ui.perfetto.dev",
    "www.evidentlyai.com",
    "www.kaggle.com",
}
"""Pages elsewhere that ours may lead to: whether they are still there cannot be asked without a network."""


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_relative_link_leads_to_a_file(page: Path) -> None:
    relative = [link for link in map(urlsplit, links(page)) if link.path and not link.scheme and not link.netloc]
    missing = [link.path for link in relative if not _is_there(page.parent / link.path)]
    assert missing == []


def _is_there(target: Path) -> bool:
    docs = ROOT / "docs"
    made = target.resolve().is_relative_to(docs) and target.resolve().relative_to(docs).as_posix() in GENERATED
    return made or target.exists()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_link_to_elsewhere_is_encrypted_and_leads_to_a_known_host(page: Path) -> None:
    away = [
        link for link in map(urlsplit, links(page)) if link.netloc and link.hostname not in ("localhost", "127.0.0.1")
    ]
    assert [link.geturl() for link in away if link.scheme != "https" or link.hostname not in HOSTS] == []


def rendered(markdown: str, page: str = "design/one.md", *others: str, repository: str = "") -> str:
    """What becomes of a page's text."""
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


def test_a_link_to_another_page_stays() -> None:
    assert '<a href="two.md#part">' in rendered("[two](two.md#part)", "design/one.md", "design/two.md")


def test_a_page_outside_docs_is_led_to_its_place_in_the_site() -> None:
    html = rendered("[log](../../CHANGELOG.md#added)", "design/one.md", "repository/CHANGELOG.md")
    assert '<a href="../repository/CHANGELOG.md#added">' in html


def test_a_page_outside_docs_leads_back_into_docs() -> None:
    html = rendered("[two](../docs/design/two.md)", "repository/reports/README.md", "design/two.md")
    assert '<a href="../../design/two.md">' in html


def test_a_picture_from_outside_docs_comes_into_the_site() -> None:
    html = rendered("![page](../../reports/figures/page_answer.png)")
    assert 'src="../repository/reports/figures/page_answer.png"' in html
    assert html.endswith("repository/reports/figures/page_answer.png")


def test_source_code_is_plain_text_where_nobody_knows_its_address() -> None:
    html = rendered("[errors](../../src/animals/errors.py)")
    assert '<span title="src/animals/errors.py in the repository">errors</span>' in html


def test_source_code_is_led_to_the_repository_where_its_address_is_known() -> None:
    html = rendered("[errors](../../src/animals/errors.py#L1)", repository="https://example.org/blob/main/")
    assert '<a href="https://example.org/blob/main/src/animals/errors.py#L1">' in html


def test_a_link_in_code_is_no_link() -> None:
    assert "[errors](../../no/such.py)" in rendered("`[errors](../../no/such.py)`")


@pytest.mark.parametrize("link", ["../../src/animals/no_such.py", "../../../elsewhere.md"])
def test_a_missing_file_is_a_warning_which_fails_a_strict_build(link: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "mkdocs"):
        rendered(f"[gone]({link})")
    assert "which the repository does not have" in caplog.text


def test_every_decision_is_in_the_index_by_topic() -> None:
    design = ROOT / "docs" / "design"
    listed = links(design / "README.md")
    assert [page.name for page in design.glob("*.md") if page.name not in (*listed, "README.md")] == []
