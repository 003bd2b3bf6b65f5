"""What the pages tell people to type is what gcloud knows."""

import re
import shlex
from pathlib import Path

import pytest

from tests.support.flags import Flags

ROOT = Path(__file__).parents[2]
PAGES = ["docs/how-to/cloud.md", "docs/design/alerts.md"]
ALERTS = [path.relative_to(ROOT).as_posix() for path in sorted(ROOT.glob("cloudbuild_files/alerts/*.yaml"))]


def commands(path: Path) -> list[tuple[str, ...]]:
    """Those that are typed in full, in a block or in a line."""
    found = re.findall(r"(?:^\$ |^# |`)(gcloud [a-z][^`\n]*--[^`\n]*)", path.read_text(encoding="utf-8"), re.MULTILINE)
    return [tuple(shlex.split(command)) for command in found]


@pytest.mark.parametrize("page", PAGES + ALERTS)
def test_gcloud_knows_the_commands_of_a_page(page: str, flags: Flags) -> None:
    found = commands(ROOT / page)
    assert found
    flags.check(found)


@pytest.mark.parametrize("command", ["gcloud pubsub topics describe x --not-this=1", "gcloud pubsub topics destroy x"])
def test_an_unknown_flag_or_command_would_be_found(command: str, flags: Flags) -> None:
    with pytest.raises(AssertionError, match="no such"):
        flags.check([tuple(command.split())])
