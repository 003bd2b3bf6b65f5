"""The command as a person types it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
import pytest

from animals.bulk.classify import classify
from animals.bulk.engines import ENGINES, Chunk
from animals.bulk.work import Model, Row
from animals.errors import Interrupted
from animals.storage import FolderStorage, open_storage
from tests.support.published import LABELS, certainty, plain, publish

ANIMALS = (sys.executable, "-m", "animals")


def animals_classify(*words: str, code: int = 0) -> str:
    done = subprocess.run(
        [*ANIMALS, "classify", *words], capture_output=True, encoding="utf-8", check=False, timeout=100
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


@pytest.mark.usefixtures("models")
def test_a_folder_becomes_a_table(photos: Path) -> None:
    said = animals_classify("photos", "--out", "p.parquet", "--workers", "2")
    assert said.startswith("p.parquet: 4 pictures by r1, 4 of them now, ")
    assert "Without a prediction: 1;" in said
    table = pd.read_parquet("p.parquet").set_index("picture")
    assert dict(table["prediction"].dropna()) == {
        "photos/a.png": "red",
        "photos/b.PNG": "green",
        "photos/more/c.jpg": "blue",
    }
    assert [table[f"p_{label}"]["photos/a.png"] for label in LABELS] == pytest.approx(certainty(1, 0, 0))
    assert "no picture" in table["problem"]["photos/more/broken.jpg"]
    assert set(table["model_version"]) == {"r1"}
    assert photos.is_dir()


@pytest.mark.usefixtures("models")
def test_the_installed_command_is_the_same(photos: Path) -> None:
    program = Path(sys.executable).with_name("animals.exe" if os.name == "nt" else "animals")
    done = subprocess.run([program, "classify", "photos/*.png", "--out", "p.parquet"], capture_output=True, check=False)
    assert done.stdout.startswith(b"p.parquet: 1 pictures by r1"), done.stderr
    assert photos.is_dir()


@pytest.mark.usefixtures("models")
def test_pictures_in_a_bucket_and_in_a_folder_are_one_table(photos: Path, gcs_url: str) -> None:
    storage = open_storage(gcs_url)
    for number in range(3):
        storage.write(f"in/{number}.png", plain("blue"))
    classify([f"{gcs_url}/in", str(photos)], Path("p.parquet"), version="current", workers=1, engine="local")
    table = pd.read_parquet("p.parquet")
    assert len(table) == 7
    remote = table[table["picture"].str.startswith("gs://")]
    assert remote["picture"].tolist() == [f"{gcs_url}/in/{number}.png" for number in range(3)]
    assert set(remote["prediction"]) == {"blue"}


def test_another_version_than_the_one_that_serves_can_be_asked(
    models: FolderStorage, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(models, "r2")
    classify([str(photos)], Path("p.parquet"), version="r1", workers=1, engine="local")
    assert "by r1" in capsys.readouterr().out
    assert set(pd.read_parquet("p.parquet")["model_version"]) == {"r1"}


@pytest.mark.usefixtures("models")
def test_what_is_done_is_not_done_again(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def again() -> str:
        classify(["photos"], Path("p.parquet"), version="current", workers=1, engine="local")
        return capsys.readouterr().out

    assert "4 pictures by r1, 4 of them now" in again()
    (photos / "more" / "broken.jpg").unlink()
    assert again().startswith("p.parquet: 3 pictures by r1, 0 of them now. Without a prediction: 1;")
    (photos / "new.png").write_bytes(plain("red"))
    assert "4 pictures by r1, 1 of them now" in again()
    assert len(pd.read_parquet("p.parquet")) == 5  # nothing is taken away


@pytest.mark.usefixtures("models", "photos")
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["nowhere", "--out", "p.parquet"], 2, "error: There are no pictures in nowhere."),
        (["photos", "--out", "photos"], 2, "error: photos is a folder"),
        (["photos", "--out", "p.parquet", "--version", "r9"], 1, "has no version r9. Latest versions: r1."),
        (["photos", "--out", "p.parquet", "--workers", "0"], 2, "greater than or equal to 1"),
        (["photos", "--out", "p.parquet", "--engine", "spark"], 2, "'spark' is not one of"),
        (["photos"], 2, "--out"),
    ],
)
def test_a_mistake_is_one_sentence_and_an_exit_code(words: list[str], code: int, said: str) -> None:
    assert said in animals_classify(*words, code=code)
    assert not Path("p.parquet").exists()


def test_without_a_model_it_is_said_how_to_get_one(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANIMALS_BUCKET", str(tmp_path / "empty"))
    assert "No model is published" in animals_classify(str(photos), "--out", str(tmp_path / "p.parquet"), code=1)


@pytest.fixture
def many(tmp_path: Path) -> int:
    """A folder `many` with enough pictures to interrupt the command."""
    folder = tmp_path / "many"
    folder.mkdir()
    first = folder / "0.png"
    first.write_bytes(plain("red", (250, 250)))
    for number in range(1, 640):
        os.link(first, folder / f"{number}.png")
    return 640


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize(
    "name", ["SIGINT", pytest.param("SIGKILL", marks=pytest.mark.skipif(os.name == "nt", reason="POSIX"))]
)
def test_an_interrupted_command_goes_on_where_it_was(many: int, name: str) -> None:
    eager = "from animals.bulk import classify; classify.SAVE_SECONDS = 0; from animals.__main__ import main; main()"
    words = ["classify", "many", "--out", "p.parquet", "--workers", "2"]
    parts = Path("p.parquet.parts")
    with subprocess.Popen([sys.executable, "-c", eager, *words], stderr=subprocess.PIPE, encoding="utf-8") as process:
        deadline = time.monotonic() + 60
        while not list(parts.glob("*.parquet")):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(getattr(signal, name))
        _, said = process.communicate(timeout=60)
    if name == "SIGINT":
        assert process.returncode == 130
        assert said == "error: Interrupted. Finished parts are in p.parquet.parts; the same command resumes.\n"
    kept = sum(len(pd.read_parquet(part)) for part in parts.glob("*.parquet"))
    assert 0 < kept < many
    assert not Path("p.parquet").exists()
    assert f"p.parquet: {many} pictures by r1, {many - kept} of them now" in animals_classify(*words[1:])
    table = pd.read_parquet("p.parquet")
    assert len(table) == many
    assert set(table["prediction"]) == {"red"}
    assert not parts.exists()


@pytest.mark.usefixtures("models", "photos")
def test_rows_are_kept_when_the_work_ends_in_the_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    real = ENGINES["local"]

    def interrupted(chunks: Sequence[Chunk], model: Model, workers: int | None) -> Iterator[list[Row]]:
        yield from real(chunks, model, workers)
        raise KeyboardInterrupt

    monkeypatch.setitem(ENGINES, "local", interrupted)
    with pytest.raises(Interrupted, match=r"p\.parquet\.parts"):
        classify(["photos"], Path("p.parquet"), version="current", workers=1, engine="local")
    assert len(list(Path("p.parquet.parts").glob("*.parquet"))) == 1
