"""Commands that are no training read its configuration by the same rules."""

from pathlib import Path

import pytest

from animals.config.compose import compose_train_config
from animals.errors import ConfigError


def test_overrides_and_experiments_are_those_of_a_training(tmp_path: Path) -> None:
    config = compose_train_config(["experiment=folder", f"data.root={tmp_path}", "data.side=96"])
    assert (config.name, config.data.root, config.data.side) == ("folder", str(tmp_path), 96)


def test_it_may_be_called_again() -> None:
    assert [compose_train_config([]).name for _ in range(2)] == ["sample", "sample"]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.sid=3", r"There is no setting data\.sid\. Did you mean side\?"),
        ("data.side=3", r"data\.side is 3; expected from 8 to 4096"),
        ("data.statistics=dta", r'data\.statistics is "dta"; expected one of auto, data, model\. Did you mean data\?'),
        ("data.duplicate_distance=200", r"data\.duplicate_distance is 200; expected from 0 to 128"),
        ("data.side", "Error parsing override"),
    ],
)
def test_mistakes_are_named(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        compose_train_config([override])
