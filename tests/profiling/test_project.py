"""What the repository says of itself, and what its sample is worth: the two measurements that only the report needs."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True, scope="module")
def scripts() -> Iterator[None]:
    sys.path.insert(0, str(ROOT / "profiling"))
    yield
    sys.path.remove(str(ROOT / "profiling"))


def test_each_room_has_its_files_and_lines() -> None:
    from project import rooms

    found = rooms()
    assert {"serving", "training", "frontend", "monitoring", "tests", "benchmarks"} <= set(found)
    serving = sorted((ROOT / "src" / "animals" / "serving").glob("*.py"))
    lines = [path.read_text(encoding="utf-8").splitlines() for path in serving]
    assert found["serving"] == {
        "files": len(serving),
        "lines": sum(line.strip() != "" for text in lines for line in text),
        "longest": max(map(len, lines)),
    }


def test_tests_are_counted_by_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    import project

    collected = [
        "tests/test_records.py::test_one",
        "tests/serving/test_app.py::test_two[a b]",
        "tests/data/shards/test_write.py::test_three",
        "tests/data/test_load.py::test_four",
        "",
        "4 tests collected in 1.00s",
    ]
    monkeypatch.setattr(project, "_output", lambda *_: "\n".join(collected))
    assert project.tests() == {"data": 2, "serving": 1, "the modules that all share": 1, "all": 4}


def test_contracts_pins_and_workflows_are_those_of_the_repository() -> None:
    from project import contracts, pinned, workflows

    assert "Imports point one way" in contracts()
    assert pinned()["requirements_dev.txt"] > pinned()["requirements_backend.txt"] > 10
    assert "pull_request" in workflows()["tests.yml"]


def test_the_coverage_of_older_code_is_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import project

    source = tmp_path / "src"
    source.mkdir()
    (source / "code.py").write_text("", encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text("[tool.coverage.report]\nfail_under = 90\n", encoding="utf-8")
    monkeypatch.setattr(project, "ROOT", tmp_path)
    monkeypatch.setattr(project, "SOURCE", source)
    monkeypatch.setattr(project, "_output", lambda *_: '{"totals": {"percent_covered": 97.5}}')
    unknown = {"percent": None, "day": None, "least": 90}
    assert project.coverage() == unknown
    data = tmp_path / ".coverage"
    data.write_bytes(b"")
    os.utime(data, (0, 0))
    assert project.coverage() == unknown
    os.utime(data, (4e9, 4e9))
    assert project.coverage() == {"percent": 97.5, "day": "2096-10-02", "least": 90}


def test_an_import_takes_time_and_memory() -> None:
    from project import import_seconds

    found = import_seconds("json")
    assert 0 < found["seconds"] < 10
    assert found["megabytes"] > 1


def test_a_command_that_fails_is_named() -> None:
    from project import _output

    from animals.errors import AnimalsError

    with pytest.raises(AnimalsError, match=r"-c 'raise SystemExit\(3\)' ended with 3"):
        _output(sys.executable, "-c", "raise SystemExit(3)")


def test_the_samples_report_and_figures_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image
    from sample_run import keep, run

    from animals.errors import AnimalsError

    report = tmp_path / "work" / "reports" / "versions" / "v"
    curves = tmp_path / "work" / "runs" / "one" / "figures"
    for folder in (report, curves):
        folder.mkdir(parents=True)
    noise = Image.effect_noise((300, 300), 80).convert("RGB")
    for path in (curves / "curves.png", report / "robustness.png"):
        noise.save(path)
    for name in ("report.md", "report.json"):
        (report / name).write_text("found", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    keep(tmp_path / "work")
    assert sorted(path.name for path in (tmp_path / "reports" / "sample").iterdir()) == ["report.md", "robustness.png"]
    drawn = tmp_path / "reports" / "figures" / "sample_curves.png"
    assert drawn.stat().st_size < (curves / "curves.png").stat().st_size
    with pytest.raises(AnimalsError, match=r"python -m animals\.nothing ended with 1"):
        run(tmp_path, "animals.nothing")
