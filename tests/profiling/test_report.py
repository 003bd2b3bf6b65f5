"""reports/README.md: its generated parts are what the results say, and its sentences do not say otherwise."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from docs.generate.commands import commands

TASKS = commands()
ROOT = Path(__file__).parents[2]
PROFILING = ROOT / "profiling"
REPORTS = ROOT / "reports"
PAGE = REPORTS / "README.md"

FIGURE = re.compile(r"(?<![\w.,-])(\d[\d,]*(?:\.\d+)?) ?(?:%|ms\b|s\b|MB\b|GB\b|MiB\b|times\b|dollars\b)")
"""A number that was measured, by its unit."""

LINK = re.compile(r"\]\(([^)#\s]+)?(#[\w-]+)?\)")

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True, scope="module")
def scripts() -> Iterator[None]:
    sys.path.insert(0, str(PROFILING))
    yield
    sys.path.remove(str(PROFILING))


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command in this process: its exit code and what it wrote."""

    def start(*words: str) -> tuple[int, str, str]:
        from report import main

        code = 0
        try:
            main(words)
        except SystemExit as end:
            code = int(end.code or 0)
        return code, *capsys.readouterr()

    return start


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The results and the page, to be changed."""
    folder = tmp_path / "reports"
    shutil.copytree(REPORTS, folder, ignore=shutil.ignore_patterns("*.png", "*.zip", "versions"))
    return folder


def page() -> str:
    return PAGE.read_text(encoding="utf-8")


def test_the_page_is_what_the_results_say(copied: Path, run: Run) -> None:
    code, _, error = run("--render", "--reports", str(copied))
    assert code == 0, error
    stale = "reports/README.md is not what the results beside it say any more: invoke report --render"
    assert (copied / "README.md").read_text(encoding="utf-8") == page(), stale


def test_another_result_changes_its_table_and_nothing_else(copied: Path, run: Run) -> None:
    from review.blocks import outside

    result = copied / "serving_soak.json"
    text = result.read_text(encoding="utf-8")
    result.write_text(text.replace('"right": 19584', '"right": 12345'), encoding="utf-8")
    assert run("--render", "--reports", str(copied))[0] == 0
    changed = (copied / "README.md").read_text(encoding="utf-8")
    assert "| right / wrong / failed | 12,345 / 0 / 0 |" in changed
    assert outside(changed) == outside(page())


def test_figures_are_drawn_small(copied: Path, run: Run) -> None:
    run("--render", "--reports", str(copied))
    drawn = {path.name: path.stat().st_size for path in (copied / "figures").glob("*.png")}
    assert set(drawn) == {"training.png", "serving.png", "load.png"}
    assert max(drawn.values()) < 150_000


def test_every_part_is_on_the_page_once() -> None:
    from review.blocks import names
    from review.sections import PARTS

    assert sorted(names(page())) == sorted(PARTS)


def test_every_part_names_a_command_that_there_is() -> None:
    from review.sections import PARTS

    for name, make in PARTS.items():
        commands = re.findall(r"`((?:python|invoke) [^`]+)`", "\n".join(make(REPORTS)))
        assert commands, f"the part {name} names no command"
        for command in commands:
            known(command.split())


def test_every_section_is_measured_by_commands_that_there_are() -> None:
    from review.sections import SECTIONS, shown

    for section in SECTIONS.values():
        assert section.commands
        for command in (*section.commands, *section.quick):
            known(shown(command).split())


def known(words: list[str]) -> None:
    """Fail unless the command exists and has these options."""
    given = [word for word in words if word.startswith("--")]
    if words[0] == "invoke":
        options = {spelling for option in TASKS[words[1]].options for spelling in option.spellings}
        unknown = [option for option in given if option not in options]
    else:
        scripts = [ROOT / words[1], PROFILING / "serving_setup.py"]
        assert scripts[0].is_file(), words
        source = "".join(path.read_text(encoding="utf-8") for path in scripts)
        unknown = [option for option in given if f'"{option}"' not in source and f'"{option[2:]}"' not in source]
    assert not unknown, f"{unknown} of {' '.join(words)}"


def test_a_figure_in_a_sentence_stands_in_a_table_or_on_a_page_that_it_links() -> None:
    from review.blocks import outside

    generated = "".join(re.split(r"<!-- (?:made by[^>]+|end) -->", page())[1::2])
    lost = []
    for paragraph in re.split(r"\n\s*\n|\n(?=- )", outside(page())):
        linked = [REPORTS / target for target, _ in LINK.findall(paragraph) if target.endswith(".md")]
        sources = generated + "".join(path.read_text(encoding="utf-8") for path in linked)
        lost += [
            f"{figure.group()} in: {paragraph.strip()[:80]}"
            for figure in FIGURE.finditer(paragraph)
            if not re.search(rf"(?<![\d.,]){re.escape(figure[1])}(?![\d]|[.,]\d)", sources)
        ]
    assert not lost, "these stand in no table and on no page that their paragraph links:\n" + "\n".join(lost)


def test_links_lead_somewhere() -> None:
    headings = re.findall(r"^#+ (.+)$", page(), re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
    links = LINK.findall(page())
    assert links
    for target, anchor in links:
        assert not target or target.startswith("http") or (REPORTS / target).exists(), target
        assert target or anchor[1:] in anchors, anchor


def test_pictures_say_what_is_on_them() -> None:
    pictures = re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", page())
    assert len(pictures) >= 8
    for words, target in pictures:
        assert len(words) > 20, target


def test_sections_are_listed_with_their_commands(run: Run) -> None:
    code, out, _ = run("--show")
    assert code == 0
    assert "serving: how fast the backend is beside others, about 8 min\n" in out
    assert "    python profiling/serving_bench.py --others --seconds 4\n" in out
    assert "    quick: left out\n" in out


def test_an_unknown_section_is_named(run: Run) -> None:
    code, _, error = run("--only", "cost,speed")
    assert code == 2
    assert error.startswith("error: There is no section speed; there are project, sample, ")


def test_a_missing_result_is_named_with_the_command_that_makes_it(copied: Path, run: Run) -> None:
    (copied / "report_speed.json").unlink()
    code, _, error = run("--render", "--reports", str(copied))
    assert code == 2
    assert error.endswith("Make it: python profiling/report_bench.py\n")


def test_a_part_that_nothing_makes_is_named(copied: Path, run: Run) -> None:
    mark = "<!-- made by: invoke report weather -->\n<!-- end -->\n"
    (copied / "README.md").write_text(f"# Page\n\n{mark}", encoding="utf-8")
    code, _, error = run("--render", "--reports", str(copied))
    assert code == 2
    assert "The page has a part 'weather', which nothing makes; there are code, " in error


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<!-- made by: invoke report cost -->\n", "The part 'cost' of the page does not end."),
        ("one\n<!-- end -->\n", "Line 2 of the page ends what has not begun."),
        (2 * "<!-- made by: invoke report cost -->\n", "Line 2 of the page begins inside 'cost'."),
    ],
)
def test_marks_that_do_not_fit_are_named(text: str, told: str) -> None:
    from review.blocks import fill

    from animals.errors import DataError

    with pytest.raises(DataError, match=re.escape(told)):
        fill(text, lambda _: [])


def test_what_is_between_the_marks_is_written_anew_and_the_rest_is_kept() -> None:
    from review.blocks import fill

    text = "before\n<!-- made by: invoke report cost -->\nold\n<!-- end -->\nafter\n"
    once = fill(text, lambda name: [name, "lines"])
    assert once == "before\n<!-- made by: invoke report cost -->\n\ncost\nlines\n\n<!-- end -->\nafter\n"
    assert fill(once, lambda name: [name, "lines"]) == once


def test_measuring_goes_on_after_a_failure_and_says_so(
    run: Run, copied: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    started: list[list[str]] = []

    def start(words: list[str], **_: object) -> "subprocess.CompletedProcess[bytes]":
        started.append(words)
        return subprocess.CompletedProcess(words, returncode=int("sizes.py" in words[-1]))

    monkeypatch.setattr(subprocess, "run", start)
    code, out, error = run("--only", "cost,defaults", "--reports", str(copied))
    assert [Path(words[-1]).name for words in started] == ["sizes.py", "cost.py"]
    assert "== python profiling/training_defaults.py --photographs FOLDER --epochs 8: left out" in out
    assert code == 1
    assert error == "error: python profiling/sizes.py failed, see above. The page has the older results.\n"
    run("--only", "defaults", "--photographs", str(tmp_path), "--reports", str(copied))
    assert started[-1][-4:] == ["--photographs", str(tmp_path), "--epochs", "8"]


def test_images_are_shown_where_they_were_measured(tmp_path: Path) -> None:
    from review.engineering import containers

    assert containers(tmp_path)[0].startswith("Not measured yet, for which Docker or podman is needed: `python ")
    api = {"name": "api", "megabytes": 400.4, "above_base": 270.0, "changed_seconds": 3.2, "loaded_megabytes": None}
    found = {
        "created": "2026-11-24T16:00:00+00:00",
        "processor": "A CPU",
        "system": "Linux",
        "load": 2.0,
        "images": [{**api, "starts_seconds": [1.0, 3.0, 2.0], "idle_megabytes": 99.6}],
    }
    (tmp_path / "containers.json").write_text(json.dumps(found), encoding="utf-8")
    lines = containers(tmp_path)
    assert lines[2] == "| `api` | 400 | 270 | 3 | 2.0 (1.0 to 3.0) | 100 | - |"
    assert lines[-1].endswith("2026-11-24, A CPU, Linux; 2 processes wanted the CPUs*; [the whole page](containers.md)")
