"""Files with placeholders: all of them are filled, and nothing else is left over."""

from pathlib import Path

import pytest

from animals.cloud.template import fill, fill_into
from animals.errors import ConfigError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "service.yaml"
    path.write_text("image: ${IMAGE}\nargs: [$$HOME]\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "values", "message"),
    [
        ("${IMAGE}", {}, r"service\.yaml has placeholders without a value: IMAGE"),
        ("${IMAGE}", {"IMAGE": "a", "TAG": "b"}, "no placeholders of these names: TAG"),
        ("price: 5 $ each", {}, r"a \$ that is not a placeholder"),
    ],
)
def test_placeholders_and_values_must_match(path: Path, text: str, values: dict[str, str], message: str) -> None:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        fill(path, values)


def test_a_filled_file_is_written_under_its_name_and_two_dollars_are_one(path: Path, tmp_path: Path) -> None:
    filled = fill_into(tmp_path / "build" / "cloud", path, {"IMAGE": "a"})
    assert filled == tmp_path / "build" / "cloud" / "service.yaml"
    assert filled.read_bytes() == b"image: a\nargs: [$HOME]\n"
    with pytest.raises(ConfigError, match=r"no\.yaml cannot be read"):
        fill_into(tmp_path, tmp_path / "no.yaml", {})
    with pytest.raises(ConfigError, match="cannot be written"):
        fill_into(path, path, {"IMAGE": "a"})
