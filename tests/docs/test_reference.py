"""The reference tells everything that the code has, and the code says of everything what it means."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from pydantic import Field

from animals import registry
from animals.config.training import TrainConfig
from animals.monitoring.trigger import RetrainRequest
from animals.records import Record, feedback_name, picture_name
from animals.serving.app import create_app
from animals.serving.settings import BackendSettings
from docs.generate import environment, errors, metrics
from docs.generate.attributes import Attribute, attributes
from docs.generate.bucket import TREE, bucket_page
from docs.generate.commands import commands, commands_page
from docs.generate.configuration import configuration_page
from docs.generate.links import ROOT
from docs.generate.routes import openapi, operations, routes_page
from tasks import GROUPS

SOURCES = sorted((ROOT / "src" / "animals").rglob("*.py"))


def syntax(kind: type[ast.AST]) -> Iterator[Any]:
    for source in SOURCES:
        yield from (node for node in ast.walk(ast.parse(source.read_text("utf-8"))) if isinstance(node, kind))


def cells(page: str, first: str) -> list[str]:
    """The row of a table that begins with this."""
    (row,) = [line for line in page.splitlines() if line.startswith(f"| {first} |")]
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]]


# tasks


@pytest.mark.parametrize("command", list(commands().values()), ids=lambda command: command.name)
def test_every_task_and_each_of_its_arguments_says_what_it_is_for(command: Any) -> None:
    assert command.doc
    assert [option.word for option in command.options if not option.help] == []
    assert f"\n## {command.name}\n" in commands_page()
    assert f"\nuv run {command.example}\n" in commands_page()


def test_the_reference_names_the_tasks_in_their_groups() -> None:
    for heading, group in GROUPS.items():
        rows = commands_page().partition(f"| {heading} |")[2].partition("\n\n")[0]
        assert re.findall(r"\[([\w-]+)\]\(#\1\)", rows) == list(group)


# settings of a training


def keys(kind: Any, prefix: str = "") -> Iterator[str]:
    for field in fields(kind):
        if is_dataclass(field.default_factory):
            yield from keys(field.default_factory, f"{field.name}.")
        else:
            yield f"{prefix}{field.name}"


@pytest.mark.parametrize("key", list(keys(TrainConfig)))
def test_every_setting_is_in_the_reference_with_its_meaning(key: str) -> None:
    assert cells(configuration_page(), f"`{key}`")[-1]


def test_every_experiment_is_in_the_reference() -> None:
    names = [path.stem for path in (ROOT / "src/animals/config/conf/experiment").glob("*.yaml")]
    assert [name for name in names if f"### {name} " not in configuration_page()] == []


# environment variables


def test_every_class_of_settings_is_in_the_reference() -> None:
    bases = {"EnvironmentSettings", "BucketSettings", "ServerSettings", "GitHubSettings"}
    known = {"BaseSettings", *bases}
    found = {node.name for node in syntax(ast.ClassDef) if known & {getattr(base, "id", "") for base in node.bases}}
    assert found - bases == {kind.__name__ for kind in environment.READERS.values()}


def test_every_variable_says_what_it_means() -> None:
    for kind in environment.READERS.values():
        assert [name for name, field in environment.variables(kind).items() if not field.description] == []
        assert [
            name for name in environment.variables(kind) if f"| `{name}` |" not in environment.environment_page()
        ] == []


def read_variables(tree: ast.Module) -> Iterator[ast.expr]:
    """What stands where the name of a variable is."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("os.environ.get", "os.getenv"):
            yield node.args[0]
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value) == "os.environ":
            if isinstance(node.ctx, ast.Load):
                yield node.slice
        elif isinstance(node, ast.Compare) and ast.unparse(node.comparators[0]) == "os.environ":
            yield node.left


def constants(tree: ast.Module) -> dict[str, str]:
    """Texts that the module gives a name."""
    named = {
        ast.unparse(node.target): node.value.value
        for node in tree.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Constant)
    }
    return {name: text for name, text in named.items() if isinstance(text, str)}


def variables_of(source: Path) -> set[str]:
    tree = ast.parse(source.read_text("utf-8"))
    texts = constants(tree)
    found = [
        str(place.value) if isinstance(place, ast.Constant) else texts.get(ast.unparse(place), "")
        for place in read_variables(tree)
    ]
    return {name for name in found if name and not name.startswith("_")}


def test_every_variable_that_the_code_reads_is_in_the_reference() -> None:
    names = set().union(*map(variables_of, SOURCES))
    assert {"ANIMALS_DEBUG", "WANDB_API_KEY"} <= names
    assert [name for name in sorted(names) if f"| `{name}` |" not in environment.environment_page()] == []


# HTTP


def test_every_route_is_in_the_reference_with_its_meaning() -> None:
    document = openapi()
    for method, path, operation in operations(document):
        assert f"## {method} {path}\n\n{operation['description']}" in routes_page()
        assert [status for status, answer in operation["responses"].items() if not answer["description"]] == []


def test_routes_that_the_application_does_not_document_are_mentioned() -> None:
    app = create_app(BackendSettings(secret="documentation"))  # noqa: S106
    paths = {route.path.rstrip("/") for route in app.routes if isinstance(route, APIRoute)}
    missing = [path for path in paths if f" {path}" not in routes_page() and f" {path}/" not in routes_page()]
    assert missing == []


def test_parameters_and_fields_of_a_request_have_their_meaning() -> None:
    assert cells(routes_page(), "`file`")[1:] == ["file", "", "The picture: JPEG, PNG, WebP, GIF, BMP or TIFF."]
    assert cells(routes_page(), "`x`")[-1] == "What the picture shows: one of the labels of the prediction."


# the bucket


def test_names_that_the_code_makes_are_in_the_tree() -> None:
    moment = datetime(2026, 11, 24, tzinfo=UTC)
    request = RetrainRequest(version="v1", bucket="data/bucket", reasons=("why",), created=moment)
    made = [
        *(registry.file_name("v1", file) for file in (registry.CARD, registry.ONNX, registry.INT8, registry.REFERENCE)),
        registry.CURRENT,
        feedback_name(moment, "abc"),
        picture_name(moment, "abc", moment),
        request.name,
    ]
    patterns = [re.sub(r"<\w+>", "*", name) for name in TREE]
    assert [name for name in made if not any(fnmatch(name, pattern) for pattern in patterns)] == []


def test_records_are_told_with_those_that_they_hold() -> None:
    for title in ("Card", "LabelMetrics", "Current", "LoggedPrediction", "Feedback", "Summary", "FeatureDrift"):
        assert f"### {title} {{" in bucket_page()


# metrics


def registered() -> Iterator[str]:
    """Names in calls that make a metric."""
    for call in syntax(ast.Call):
        if ast.unparse(call.func) in ("Counter", "Gauge", "Histogram", "_set"):
            yield from (
                str(given.value)
                for given in call.args
                if isinstance(given, ast.Constant) and str(given.value).startswith("animals_")
            )


def test_every_metric_is_in_the_reference_with_its_meaning() -> None:
    told = {
        metric.name.removesuffix("_total"): metric for metric in metrics.backend_metrics() + metrics.report_metrics()
    }
    # one call spreads its arguments over a list, and has its name there
    spread = {"animals_feedback_less_accurate"}
    assert set(registered()) | spread == set(told)
    assert [metric.name for metric in told.values() if not metric.help] == []


def test_labels_of_metrics_are_told() -> None:
    assert cells(metrics.metrics_page(), "`animals_requests_total`")[1:3] == ["counter", "`route`, `status`"]


# errors


def test_every_error_is_in_the_reference_with_its_meaning() -> None:
    source = ast.parse((ROOT / "src/animals/errors.py").read_text("utf-8"))
    names = [node.name for node in source.body if isinstance(node, ast.ClassDef)]
    assert sorted(names) == sorted(kind.__name__ for kind, _ in errors.tree())
    for kind, depth in errors.tree():
        assert cells(errors.errors_page(), f"{'&emsp;' * depth}`{kind.__name__}`")[1]


def test_errors_have_their_exit_code_and_status() -> None:
    assert cells(errors.errors_page(), "&emsp;&emsp;`PictureTooLarge`")[2:] == ["1", "413", ""]
    assert cells(errors.errors_page(), "&emsp;`UsageError`")[2] == "2"


# docstrings below attributes


@dataclass(kw_only=True)
class Base:
    first: int = 1
    """One
    thing."""


@dataclass(kw_only=True)
class Child(Base):
    second: str | None = None
    third: list[int]
    """Another."""


class Typed(Record):
    share: float = Field(default_factory=float)
    """Of all."""


def test_attributes_are_read_with_those_of_the_bases_first() -> None:
    assert attributes(Child) == [
        Attribute(name="first", type="int", default="1", doc="One\nthing."),
        Attribute(name="second", type="str | None", default="None", doc=""),
        Attribute(name="third", type="list[int]", default=None, doc="Another."),
    ]


def test_a_default_that_is_made_anew_is_called_so() -> None:
    assert attributes(Typed)[0].default == "made anew"
