import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from animals.bulk import engines
from animals.bulk.engines import _RayWorker, classify_locally, classify_with_ray
from animals.bulk.work import Model, Row
from animals.errors import ConfigError, Interrupted
from animals.storage import FolderStorage, open_storage
from tests.support.published import plain


def test_two_processes_find_what_one_finds(models: FolderStorage, photos: Path) -> None:
    chunks = [[str(photos / name)] for name in ("a.png", "b.PNG", "more/c.jpg", "more/broken.jpg")]
    model = Model(models.url, "r1", 10_000)
    one, two = (sorted(row for rows in classify_locally(chunks, model, workers) for row in rows) for workers in (1, 2))
    assert one == two
    assert len(one) == 4


def die(names: Sequence[str], model: Model) -> list[Row]:
    os._exit(len(names) + bool(model))


def test_a_worker_that_is_killed_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "classify_pictures", die)
    with pytest.raises(Interrupted, match="resume with the same command and fewer --workers"):
        list(classify_locally([["a"], ["b"]], Model("", "", 1), 2))


def test_without_ray_it_is_said_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"pip install 'ray\[data\]'"):
        next(classify_with_ray([["a"]], Model("", "", 1), 2))


@pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is optional, and has no package for every system"
)
@pytest.mark.filterwarnings("ignore")  # what Ray does is its own affair
def test_a_ray_job_with_two_workers_finds_what_this_machine_finds(
    models: FolderStorage, photos: Path, gcs_url: str
) -> None:
    storage = open_storage(gcs_url)
    for number in range(6):
        storage.write(f"{number}.png", plain("blue" if number % 2 else "red"))
    chunks = [
        [f"{gcs_url}/{number}.png" for number in range(3)],
        [f"{gcs_url}/{number}.png" for number in range(3, 7)],
        [str(photos / "more" / "broken.jpg"), str(photos / "b.PNG")],
    ]
    model = Model(models.url, "r1", 10_000)
    expected = sorted(row for rows in classify_locally(chunks, model, 1) for row in rows)
    assert sorted(row for rows in classify_with_ray(chunks, model, 2) for row in rows) == expected


def test_what_stops_a_ray_worker_comes_back_as_a_sentence(models: FolderStorage, photos: Path) -> None:
    answer = _RayWorker(Model(models.url, "r9", 10_000))({"pictures": [[str(photos / "a.png")]]})
    assert answer["picture"] == [""]
    assert "has no version r9" in answer["failure"][0]
