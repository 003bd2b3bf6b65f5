"""What the pages tell people to type is what gcloud knows."""

import re
import shlex
from pathlib import Path

import pytest

from tests.support.flags import Flags

ROOT = Path(__file__).parents[2]
PAGES = ("docs/how-to/cloud.md", "docs/design/alerts.md")


def commands(path: Path) -> list[tuple[str, ...]]:
    """Those that are typed in full, in a block or in a line."""
    found = re.findall(r"(?:^\$ |^# |`)(gcloud [a-z][^`\n]*--[^`\n]*)", path.read_text(encoding="utf-8"), re.MULTILINE)
    return [tuple(shlex.split(command)) for command in found]


@pytest.mark.parametrize("page", PAGES)
def test_gcloud_knows_the_commands_of_a_page(page: str, flags: Flags) -> None:
    found = commands(ROOT / page)
    assert found
    flags.check(found)


@pytest.mark.parametrize(
    "path", sorted((ROOT / "cloudbuild_files" / "alerts").glob("*.yaml")), ids=lambda path: path.stem
)
def test_gcloud_knows_the_command_that_makes_an_alert_by_hand(path: Path, flags: Flags) -> None:
    (command,) = commands(path)
    flags.check([command])
