"""Options of the benchmarks. `invoke` makes the tasks `load-test` and `cost` from them, so they import little."""

import argparse
import tomllib
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def load_test_parser() -> argparse.ArgumentParser:
    """Return the options of `invoke load-test`."""
    parser = argparse.ArgumentParser(prog="invoke load-test")
    parser.add_argument("--users", type=int, default=50, help="who come one to three seconds apart")
    parser.add_argument("--seconds", type=int, default=60, help="that are counted")
    parser.add_argument("--host", default="", help="URL of a running backend; without one, a backend is started")
    parser.add_argument("--bucket", default="", help="whose version that backend serves; by default a seeded network")
    parser.add_argument(
        "--p95", type=float, default=0, help="ms that one answer in 20 may exceed; if more do, it fails"
    )
    parser.add_argument("--html", action="store_true", help="keep locust's own report too, about a megabyte")
    add_serving_options(parser, Path("reports", "load_test"))
    return parser


def add_serving_options(parser: argparse.ArgumentParser, out: Path) -> None:
    """Add the options that all serving benchmarks have: model, pictures and report."""
    parser.add_argument("--pictures", type=Path, help="folder of JPEG photographs; by default pictures are drawn")
    parser.add_argument("--model", default="resnet18", help="of timm")
    parser.add_argument("--side", type=int, default=224, help="of the model's input, in pixels")
    parser.add_argument("--keep", type=Path, help="folder to keep model and pictures in for the next run")
    parser.add_argument("--out", type=Path, default=out, help="the report")


def cost_parser() -> argparse.ArgumentParser:
    """Return the options of `invoke cost`: one for each assumption in cost.toml."""
    parser = argparse.ArgumentParser(prog="invoke cost")
    parser.add_argument("--assume", type=Path, help="TOML file with other assumptions, like profiling/cost.toml")
    for name, it in read_assumptions().items():
        meaning = f"{it['unit']} {it['reason']} [{it['value']:g}]".replace("%", "%%")
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, help=meaning)
    return parser


def read_assumptions() -> dict[str, Any]:
    """Return the tables of cost.toml without what was measured: name -> value, unit and reason."""
    entries = tomllib.loads((HERE / "cost.toml").read_text("utf-8"))
    return {name: it for name, it in entries.items() if name != "measured"}
