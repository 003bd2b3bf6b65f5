"""`animals data` as a person types it."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from animals.animals10 import ANIMALS10_FOLDERS
from animals.data.sources.fetch import summary, table
from animals.data.sources.folder import ImportResult
from animals.data.sources.import_pictures import PICTURES_ROOT, SAMPLE_ROOT
from tests.support.command import run
from tests.support.pictures import write_label_folders


def data(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    line = [sys.executable, "-m", "animals", "data", *words]
    return subprocess.run(line, cwd=folder, capture_output=True, encoding="utf-8", check=False)


def test_a_fetch_ends_with_a_table_of_the_labels_and_what_to_do_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_label_folders(tmp_path / "mine" / "archive", per_label=2)
    (tmp_path / "mine" / "archive" / "list.csv").write_bytes(b"1")
    (tmp_path / PICTURES_ROOT / "red").mkdir(parents=True)
    (tmp_path / PICTURES_ROOT / "red" / "other.jpg").write_bytes(b"1")
    monkeypatch.chdir(tmp_path)

    run("data", "--source", "mine")

    output = capsys.readouterr()
    assert output.err == ""
    rows = [line.replace("│", " ").split() for line in output.out.splitlines() if line.startswith("│")]
    assert rows == [["blue", "2"], ["green", "2"], ["red", "3"], ["All", "7"]]
    assert output.out.endswith(
        f"""
{PICTURES_ROOT}: 6 new pictures, 0 existed already.
Left out, since no picture in a label folder: archive/list.csv.
Files from elsewhere in this folder: 1.
Next: uv run invoke train --args "experiment=folder data.root={PICTURES_ROOT}"
"""
    )


def test_many_files_that_are_left_out_are_named_in_part() -> None:
    result = ImportResult(new=0, existing=0, left_out=("a", "b", "c", "d", "e"))
    message = summary(result, Counter(), PICTURES_ROOT)
    assert "Left out, since no picture in a label folder: a, b, c and 2 more." in message


@pytest.mark.parametrize(
    ("root", "next_command"),
    [
        (SAMPLE_ROOT, "train"),
        (PICTURES_ROOT, 'train --args "experiment=animals10"'),
        (Path("mine"), 'train --args "experiment=animals10 data.root=mine"'),
    ],
)
def test_the_next_command_is_the_experiment_that_looks_there(root: Path, next_command: str) -> None:
    message = summary(ImportResult(10, 0), Counter(ANIMALS10_FOLDERS.keys()), root)
    assert message.endswith(f"Next: uv run invoke {next_command}")


def test_a_folder_of_animals_10_is_shown_with_its_label() -> None:
    shown = table(Counter({"scoiattolo": 2, "[red]": 1}))
    assert list(shown.columns[0].cells) == ["\\[red]", "squirrel (scoiattolo)"]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--source", "gone"], 2, "error: There is no source gone. Expected sample, kaggle, feedback, a URL"),
        (["--version"], 2, "error: data/raw/raw-img is no folder. Import pictures first: invoke data --source"),
        (["--check", "experiment=shards", "data.root=gs://a/b"], 2, "error: gs://a/b holds shards, which were checked"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(words: list[str], code: int, message: str, tmp_path: Path) -> None:
    done = data(tmp_path, *words)
    assert done.returncode == code
    assert done.stderr.replace("\\", "/").startswith(message)
    assert "Traceback" not in done.stderr


def test_check_stats_and_shards_get_the_overrides_in_this_order(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[object, ...]] = []
    for module in ("checks", "statistics", "shards.write"):
        monkeypatch.setattr(f"animals.data.{module}.main", lambda *words, module=module: calls.append((module, *words)))
    run("data", "--shards=gs://a/b", "--stats", "--check", "experiment=folder", "data.root=mine")
    overrides = ["experiment=folder", "data.root=mine"]
    assert calls == [("checks", overrides), ("statistics", overrides), ("shards.write", "gs://a/b", overrides)]


def test_the_task_without_options_says_how_to_use_it() -> None:
    line = [sys.executable, "-m", "invoke", "data"]
    done = subprocess.run(line, cwd=Path(__file__).parents[2], capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0
    assert all(
        option in done.stdout
        for option in ("--source", "--root", "--check", "--stats", "--shards", "--version", "OVERRIDE")
    )
