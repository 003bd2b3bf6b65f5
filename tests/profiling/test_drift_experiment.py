"""The experiment on drift, run as a person runs it, on as little as it takes."""

import json
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from animals import registry
from animals.animals10 import ANIMALS10_LABELS
from animals.features import FEATURES
from animals.storage import FolderStorage
from tests.support.published import colour_model, make_card

SCRIPT = Path(__file__).parents[2] / "profiling" / "drift_experiment.py"


def publish(bucket: Path) -> None:
    """A model that knows nothing, and a reference of pictures that are darker than any."""
    random = np.random.default_rng(0)
    reference = pd.DataFrame(random.uniform(0, 0.2, (100, len(FEATURES))), columns=list(FEATURES))
    file = BytesIO()
    reference.to_parquet(file)
    files = {registry.ONNX: colour_model(10), registry.REFERENCE: file.getvalue()}
    infos = {name: registry.describe(data) for name, data in files.items()}
    card = make_card(files[registry.ONNX], labels=ANIMALS10_LABELS, files=infos)
    storage = FolderStorage(bucket)
    registry.write_version(storage, card, files)
    registry.promote(storage, card.version, reason="test")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drift")
    publish(folder / "bucket")
    few = ["--sizes", "50", "--weeks=2", "--pool=60"]
    command = [sys.executable, str(SCRIPT), "--bucket", str(folder / "bucket"), "--out", str(folder / "out"), *few]
    done = subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    return folder / "out"


def test_each_kind_of_pictures_is_compared_with_the_reference(out: Path) -> None:
    kinds: list[dict[str, Any]] = json.loads((out / "drift.json").read_text(encoding="utf-8"))["kinds"]
    assert len(kinds) == 17
    for kind in kinds:
        assert kind["fired"] == kind["weeks"] == {"50": 1 if "as one" in kind["name"] else 2}
        assert "brightness" in kind["features"]


def test_the_report_has_a_row_for_each_kind_and_a_figure(out: Path) -> None:
    page = (out / "drift.md").read_text(encoding="utf-8")
    assert page.count("| 2 of 2 | brightness") == 16
    assert "| unchanged, all 100 as one week |" in page
    assert (out / "figures" / "drift.png").read_bytes().startswith(b"\x89PNG")
