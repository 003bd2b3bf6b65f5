"""What the system costs a month on Google Cloud: `invoke cost`.

Worked out from measured seconds and bytes (reports/*.json), dated prices (prices.toml) and assumptions (cost.toml) into
docs/cost.md, reports/cost.json and reports/figures/cost.png. With other assumptions it is only shown.
"""

import argparse
import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from costs.measured import read_measured
from costs.page import Case, markdown, numbers
from costs.tables import PRICES, Assumption, changed, read_assumptions, read_prices
from figures import cost_figure, save

from animals.cli import exit_on_error

ROOT: Final = Path(__file__).parents[1]


def main(words: Sequence[str] | None = None) -> None:
    """Work it out, and write or show it."""
    with exit_on_error():
        assumptions = read_assumptions()
        arguments = _parser(assumptions).parse_args(words)
        given = {name: it.value for name, it in read_assumptions(arguments.assume).items()} if arguments.assume else {}
        given |= {name: value for name in assumptions if (value := getattr(arguments, name)) is not None}
        case = Case(
            assumptions=changed(assumptions, given),
            measured=read_measured(arguments.root / "reports"),
            prices=read_prices(arguments.prices),
        )
        command = shlex.join(["invoke", "cost", *(sys.argv[1:] if words is None else words)])
        if given:
            sys.stdout.write(markdown(case, command))
        else:
            write(case, "invoke cost", arguments.root)


def write(case: Case, command: str, root: Path) -> None:
    """The page, the numbers and the figure into their places."""
    page, found = root / "docs" / "cost.md", numbers(case)
    page.parent.mkdir(exist_ok=True)
    page.write_text(markdown(case, command), encoding="utf-8")
    (root / "reports" / "cost.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    save(cost_figure(found), root / "reports" / "figures" / "cost.png")
    totals = ", ".join(
        f"{total:,.2f} dollars for {volume:,} pictures"
        for volume, total in zip(found["pictures"], found["total"], strict=True)
    )
    sys.stdout.write(f"A month costs {totals}. All of it: {page}\n")


def _parser(assumptions: Mapping[str, Assumption]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="invoke cost", description=__doc__)
    parser.add_argument("--root", type=Path, default=ROOT, help="where reports/ and docs/ are [this repository]")
    parser.add_argument("--prices", type=Path, default=PRICES, help="[profiling/prices.toml]")
    parser.add_argument("--assume", type=Path, help="TOML file with other assumptions, like profiling/cost.toml")
    for name, it in assumptions.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, help=f"{it.unit} {it.reason} [{it.value:,g}]")
    return parser


if __name__ == "__main__":
    main()
