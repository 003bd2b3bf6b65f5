"""Tables in Markdown."""

import markdown

from animals.markdown import table


def test_a_label_with_a_bar_stays_in_its_cell() -> None:
    html = markdown.markdown(table(("label", "right"), [("a|b", "93 %"), ("c", "87 %")]), extensions=["tables"])
    assert html.count("<tr>") == 3
    assert html.count("<td>") == 4
    assert "a|b" in html.replace("&#124;", "|")
