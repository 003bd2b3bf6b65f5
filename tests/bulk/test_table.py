import os
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from animals.bulk.table import Predictions
from animals.bulk.work import Row
from animals.errors import ConfigError, StorageUnavailable
from animals.records import Card
from tests.support.published import colour_model, make_card

RED, BLUE = Row("red", (0.75, 0.125, 0.125)), Row("blue", (0.25, 0.0, 0.75))
BROKEN = Row("broken", problem="no picture")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "new" / "predictions.parquet"


def card(version: str = "r1") -> Card:
    return make_card(colour_model(), version)


def parts(out: Path) -> list[Path]:
    return sorted(out.with_name("predictions.parquet.parts").glob("*.parquet"))


def test_the_table_has_a_row_for_each_picture_sorted_by_name(out: Path) -> None:
    with Predictions(out, card()) as predictions:
        predictions.add([RED, BROKEN])
        predictions.add([BLUE])
        assert predictions.finish() == 1
    found = pd.read_parquet(out)
    assert found.columns.tolist() == [
        *("picture", "prediction", "confidence", "p_red", "p_green", "p_blue", "model_version", "problem")
    ]
    rows = found.astype(object).where(found.notna(), None).to_numpy().tolist()
    assert rows == [
        ["blue", "blue", 0.75, 0.25, 0.0, 0.75, "r1", None],
        ["broken", None, None, None, None, None, "r1", "no picture"],
        ["red", "red", 0.75, 0.75, 0.125, 0.125, "r1", None],
    ]
    assert [file.name for file in out.parent.iterdir()] == ["predictions.parquet"]


def test_what_was_added_is_known_to_the_next_process_and_a_problem_is_tried_again(out: Path) -> None:
    with Predictions(out, card()) as predictions:
        assert predictions.done == set()
        predictions.add([RED, BROKEN])
    assert not out.exists()
    with Predictions(out, card()) as predictions:
        assert predictions.done == {"red"}
        predictions.add([BLUE, BROKEN._replace(probabilities=RED.probabilities, problem=None)])
        assert predictions.finish() == 0
    assert pq.read_table(out)["picture"].to_pylist() == ["blue", "broken", "red"]
    assert pq.read_table(out)["prediction"].to_pylist() == ["blue", "red", "red"]


def test_a_finished_table_can_be_added_to(out: Path) -> None:
    for row in (RED, BLUE):
        with Predictions(out, card()) as predictions:
            predictions.add([row])
            predictions.finish()
    with Predictions(out, card()) as predictions:
        assert predictions.done == {"red", "blue"}


def test_parts_that_an_interrupted_end_has_left_change_nothing(out: Path) -> None:
    with Predictions(out, card()) as predictions:
        predictions.add([RED, BLUE])
        (part,) = parts(out)
        left = part.read_bytes()
        predictions.finish()
    part.parent.mkdir()
    part.write_bytes(left)
    with Predictions(out, card()) as predictions:
        predictions.finish()
    assert pq.read_table(out)["picture"].to_pylist() == ["blue", "red"]


def test_another_version_is_not_mixed_in(out: Path) -> None:
    with Predictions(out, card()) as predictions:
        predictions.add([RED])
    with (
        pytest.raises(ConfigError, match=r"version r1, not of r2\. Give --version r1"),
        Predictions(out, card("r2")),
    ):
        pass
    with Predictions(out, card()) as predictions:  # the lock was given back
        assert predictions.done == {"red"}


def test_two_processes_do_not_write_at_once(out: Path) -> None:
    with Predictions(out, card()), pytest.raises(ConfigError, match="Another process"), Predictions(out, card()):
        pass


def write(file: Path, content: Any) -> None:
    file.parent.mkdir(parents=True)
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        pq.write_table(pa.table(content), file)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "cannot be read as Parquet"),
        (b"PAR1 and no more", "cannot be read as Parquet"),
        ({"name": ["x"]}, "no table of predictions"),
        ({"picture": ["x"], "model_version": ["r1"]}, "no table of predictions"),
    ],
)
def test_another_file_is_not_taken_for_a_table(out: Path, content: Any, said: str) -> None:
    write(out, content)
    before = out.read_bytes()
    with pytest.raises(ConfigError, match=said), Predictions(out, card()):
        pass
    assert out.read_bytes() == before


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a folder"), Predictions(tmp_path, card()):
        pass


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageUnavailable, match="cannot be written"), Predictions(tmp_path / "file" / "x", card()):
        pass


def test_a_write_that_fails_leaves_the_table_as_it_was(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Predictions(out, card()) as predictions:
        predictions.add([RED])
        predictions.finish()
    before = out.read_bytes()
    with Predictions(out, card()) as predictions:
        predictions.add([BLUE])

        def full(_: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(StorageUnavailable, match="No space left"):
            predictions.finish()
        monkeypatch.undo()
    assert out.read_bytes() == before
    assert [file.name for file in out.parent.iterdir() if file.name.endswith(".unfinished")] == []
    with Predictions(out, card()) as predictions:
        assert predictions.done == {"red", "blue"}
