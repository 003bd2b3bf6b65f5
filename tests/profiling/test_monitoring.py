"""The monitoring benchmarks, run as a person runs them, on as little as it takes."""

import json
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from animals import registry
from animals.animals10 import ANIMALS10_LABELS
from animals.features import FEATURES
from animals.storage import FolderStorage
from tests.profiling.commands import run_benchmark
from tests.support.published import colour_model, make_card

pytestmark = pytest.mark.minutes


def publish(bucket: Path) -> None:
    """Publish an untrained model, with a reference of pictures that are darker than any."""
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


def test_each_kind_of_pictures_is_compared_with_the_reference(tmp_path: Path) -> None:
    publish(tmp_path / "bucket")
    few = ["--bucket=bucket", "--out=out", "--sizes", "50", "--weeks=2", "--pool=60"]
    done = run_benchmark("monitoring.drift_experiment", tmp_path, *few)
    assert done.returncode == 0, done.stderr
    kinds = json.loads((tmp_path / "out/drift.json").read_text(encoding="utf-8"))["kinds"]
    assert len(kinds) == 17
    for kind in kinds:
        assert kind["fired"] == kind["weeks"] == {"50": 1 if "as one" in kind["name"] else 2}
        assert "brightness" in kind["features"]
    page = (tmp_path / "out/drift.md").read_text(encoding="utf-8")
    assert page.count("| 2 of 2 | brightness") == 16
    assert (tmp_path / "out/figures/drift.png").is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="it measures the memory of a Linux container")
def test_each_part_of_a_report_is_measured(tmp_path: Path) -> None:
    few = ["--records=700", "--new=20", "--loose=30", "--out=bench.json"]
    done = run_benchmark("monitoring.report_bench", tmp_path, *few)
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "bench.json").read_text(encoding="utf-8"))
    (grown,) = result["grown"]
    assert (grown["whole"]["feedback"], grown["summary"]["feedback"]) == (720, 720)
    assert result["first"]["feedback"] == 30
    peaks = [grown["whole"][part]["peak"] for part in ("import", "find", "render", "store")]
    assert peaks == sorted(peaks)
    assert grown["summary"]["find"]["peak"] < peaks[0], "Evidently is imported for the summary"
    assert "| 700 | " in done.stdout
