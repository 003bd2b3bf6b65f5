"""Diagrams are drawn when the site is built."""

import logging
import xml.etree.ElementTree as ET

import pytest

from docs.generate.mermaid import fence


def drawn(source: str) -> str:
    return fence(source, "mermaid", "diagram", {}, None)


def test_a_diagram_becomes_svg_with_its_texts() -> None:
    html = drawn("sequenceDiagram\n    people->>backend: judge answers")
    root = ET.fromstring(html)  # noqa: S314 - we made it
    assert root.get("class") == "diagram"
    assert {"people", "backend", "judge answers"} <= set(filter(None, (element.text for element in root.iter())))


def test_two_diagrams_on_a_page_do_not_share_names() -> None:
    one, two = (drawn(f"flowchart LR\n    a --> {end}") for end in "bc")
    assert one.split('id="')[1].split('"')[0] != two.split('id="')[1].split('"')[0]


def test_a_diagram_that_cannot_be_read_is_a_warning_which_fails_a_strict_build(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, "mkdocs"):
        assert drawn("sequenceDiagram\n    people->>backend nonsense") == ""
    assert "A diagram cannot be drawn" in caplog.text
