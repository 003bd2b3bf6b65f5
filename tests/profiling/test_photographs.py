import json

from animals.records import ExternalTest
from profiling.training.photographs import Row, page
from tests.support.cards import make_card

MADE = {"command": "c", "date": "d", "cpu": "x", "system": "y"}
EXTERNAL = ExternalTest(folder="private/folder", pictures=45, accuracy=41 / 45, f1_macro=0.9)


def test_the_page_shows_both_tests_with_their_intervals() -> None:
    text = page(MADE, [Row("a head", "tune=never", 61.4, make_card(external_test=EXTERNAL))])
    [row] = [line for line in text.splitlines() if line.startswith("| a head")]
    assert "| 61 s |" in row
    assert "| not convertible |" in row
    assert "| 91.1% (79.3% to 96.5%) |" in row


def test_the_json_names_no_folder() -> None:
    text = json.dumps(Row("a head", "tune=never", 61.4, make_card(external_test=EXTERNAL)).summary())
    assert "private" not in text
    assert '"pictures": 45' in text
