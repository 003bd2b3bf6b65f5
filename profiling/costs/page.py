"""The costs as a page for people, as numbers for programs, and as a figure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tabular import table

from costs.billing import Bill, cost, free_until
from costs.measured import COMMANDS, WORDS, Measured, as_numbers
from costs.model import Line, Month, training_hours, use
from costs.tables import SHARES, Assumption, Prices, changed

VOLUMES: Final = (1_000, 100_000, 10_000_000)
"""Pictures a month."""

MATTERS: Final = 0.01
"""Part of the total from which on the doubling of an assumption is shown."""

SEEN: Final = {"page": "yes", "elsewhere": "elsewhere", "no": "no"}


@dataclass(kw_only=True, slots=True, frozen=True)
class Case:
    """All that the costs follow from."""

    assumptions: Mapping[str, Assumption]
    measured: Measured
    prices: Prices

    def cost(self, pictures: float, *, always: int = 0, other: Mapping[str, float] | None = None) -> Bill:
        """Of a month, with other assumptions if any are given."""
        assumptions = changed(self.assumptions, other or {})
        return cost(pictures, assumptions, self.measured, self.prices.of, always=always)


def numbers(case: Case) -> dict[str, Any]:
    """The totals and parts, for programs and for the figure."""
    return {
        "prices": case.prices.date,
        "region": case.prices.region,
        "pictures": list(VOLUMES),
        "parts": [case.cost(volume).parts for volume in VOLUMES],
        "total": [case.cost(volume).total for volume in VOLUMES],
        "total_always": [case.cost(volume, always=1).total for volume in VOLUMES],
    }


def markdown(case: Case, command: str) -> str:
    """The whole page."""
    bills = [case.cost(volume) for volume in VOLUMES]
    lines = [
        "# What it costs",
        "",
        f"`{command}` worked this out: dollars a month on Google Cloud in {case.prices.region}, without taxes, at the "
        f"prices of {case.prices.date} ([which of them were looked up](#prices)), from seconds and bytes that were "
        "[measured](#measured) and from what had to be [assumed](#assumed). It is no bill: nothing of this ran there.",
        "",
        *_totals(case, bills),
        "",
        *_dominates(bills),
        "",
        "![Dollars a month by part of the system, for three volumes](../reports/figures/cost.png)",
        "",
        "## Line by line",
        "",
        *_lines(bills, case.prices),
        "",
        "## Where the free amounts end",
        "",
        *_free(case),
        "",
        "## An instance that is always there",
        "",
        *_always(case),
        "",
        "## What changes it most",
        "",
        *_doubled(case),
        "",
        "## Training on a GPU",
        "",
        *_training(case),
        "",
        "## Assumed",
        "",
        *_assumed(case.assumptions),
        "",
        "## Measured",
        "",
        *_measured(case.measured),
        "",
        "## Prices",
        "",
        *_prices(case.prices),
        "",
        "## Not in it",
        "",
        "A domain and a load balancer with its certificate (Cloud Run has an address of its own), a second region, a "
        "project to try things in, W&B, GitHub, somebody's time, and discounts for commitments. Reading the log of "
        "answers into the day's table is in the report's seconds as far as those were measured, on a folder.",
    ]
    return "\n".join(lines) + "\n"


def dollars(value: float) -> str:
    """To the cent; a trifle is no nought."""
    return "-" if value == 0 else "< 0.01" if value < 0.005 else f"{value:,.2f}"


def count(value: float) -> str:
    """Three digits, or all before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _totals(case: Case, bills: Sequence[Bill]) -> list[str]:
    rows = [[part, *(dollars(bill.parts[part]) for bill in bills)] for part in bills[0].parts]
    rows.append(["**together**", *(f"**{dollars(bill.total)}**" for bill in bills)])
    rows.append(["for 1,000 pictures", *(dollars(1000 * bill.total / bill.pictures) for bill in bills)])
    always = [case.cost(volume, always=1).total for volume in VOLUMES]
    rows.append(["together, with one backend always there", *map(dollars, always)])
    return table(["dollars a month", *(f"{volume:,} pictures" for volume in VOLUMES)], rows)


def _dominates(bills: Sequence[Bill]) -> list[str]:
    sentences = []
    for bill in bills:
        shares = sorted(zip(bill.dollars, bill.lines, strict=True), key=lambda it: -it[0])[:3]
        named = ", ".join(f"{line.part}: {line.what} ({share / bill.total:.0%})" for share, line in shares if share)
        sentences.append(f"- At {bill.pictures:,.0f} pictures most of it is {named}.")
    return sentences


def _lines(bills: Sequence[Bill], prices: Prices) -> list[str]:
    rows = []
    for place, line in enumerate(bills[0].lines):
        cells = [f"{count(bill.lines[place].amount)} / {dollars(bill.dollars[place])}" for bill in bills]
        rows.append([line.part, line.what, prices.of[line.price].unit, *cells])
    head = ["", "", "unit", *(f"{bill.pictures:,.0f}: used / dollars" for bill in bills)]
    return table(head, rows, text=3)


def _free(case: Case) -> list[str]:
    values = {name: it.value for name, it in case.assumptions.items()}

    def used(pictures: float) -> list[Line]:
        return use(Month(pictures=pictures, of=values, measured=case.measured))

    rows = [
        [price.name, f"{count(price.free)} {price.unit}s", _until(free_until(name, used=used, free=price.free))]
        for name, price in case.prices.of.items()
        if price.free
    ]
    note = "What is free is free once for a billing account, whatever else runs on it."
    return [*table(["", "free a month", "enough until so many pictures"], rows, text=2), "", note]


def _until(pictures: float) -> str:
    if pictures in (0, float("inf")):
        return "always" if pictures else "never"
    return f"{float(f'{pictures:.2g}'):,.0f}"


def _always(case: Case) -> list[str]:
    first = VOLUMES[0]
    more = case.cost(first, always=1).total - case.cost(first).total
    seconds = case.measured.start
    return [
        f"With `min-instances` at 1 the backend costs {dollars(more)} dollars a month more at {first:,} pictures, and "
        f"nobody waits the {seconds:.1f} s of a start. It is cheaper the busier the service is, since an instance that "
        "answers is not idle. The page's own start is not helped by it: that would be another one."
    ]


def _doubled(case: Case) -> list[str]:
    most = VOLUMES[-1]
    total = case.cost(most).total
    rows = []
    for name, it in case.assumptions.items():
        twice = min(2 * it.value, 1 if name in SHARES else 24 if name == "hours" else float("inf"))
        more = case.cost(most, other={name: twice}).total - total
        if abs(more) >= MATTERS * total:
            rows.append((abs(more), [f"`{name}`", count(it.value), count(twice), f"{more:+,.2f}"]))
    rows.sort(key=lambda row: -row[0])
    head = ["assumption", "is", "if it were", "dollars more"]
    return [f"At {most:,} pictures a month ({total:,.2f} dollars):", "", *table(head, [row for _, row in rows])]


def _training(case: Case) -> list[str]:
    values = {name: it.value for name, it in case.assumptions.items()}
    hours = training_hours(Month(pictures=1, of=values, measured=case.measured))
    cpu = case.prices.of["train_cpu"].per
    rows = [
        [price.name, f"{price.per:.2f}", f"{price.per / cpu:.1f}", dollars(hours * cpu) if name == "train_cpu" else ""]
        for name, price in case.prices.of.items()
        if name.startswith("train_")
    ]
    head = ["", "dollars an hour", "pays if so many times as fast", "dollars a training"]
    return [
        f"One training of {values['epochs']:g} epochs on {values['train_pictures']:,.0f} pictures at 224 pixels takes "
        f"{hours:.1f} hours at the {case.measured.train_rate:.0f} pictures a second of the two CPUs that it was "
        "measured on. A GPU has not been measured yet; it pays from these factors on, and it is there sooner.",
        "",
        *table(head, rows),
    ]


def _assumed(assumptions: Mapping[str, Assumption]) -> list[str]:
    rows = [[f"`{name}`", count(it.value), f"{it.unit} {it.reason}"] for name, it in assumptions.items()]
    note = (
        "`invoke cost --feedback 0.1 --page 1` shows it with others, and so does a file like "
        "[`cost.toml`](../profiling/cost.toml) with `--assume FILE`."
    )
    return [note, "", *table(["", "", ""], rows, text=3)]


def _measured(measured: Measured) -> list[str]:
    rows = [[WORDS[name], count(value)] for name, value in as_numbers(measured).items()]
    made = [f"- [`{name}`](../reports/{name}): `{command}`" for name, command in COMMANDS.items()]
    return [*table(["on one CPU of a server, an AMD EPYC", ""], rows), "", *made]


def _prices(prices: Prices) -> list[str]:
    def rows() -> Iterator[list[str]]:
        for price in prices.of.values():
            free = count(price.free) if price.free else "-"
            seen = SEEN[price.checked] + (f": {price.note}" if price.note else "")
            yield [price.name, f"{price.per:.10f}".rstrip("0").rstrip("."), price.unit, free, price.page, seen]

    note = (
        f"Of {prices.date}, from [`prices.toml`](../profiling/prices.toml). *Seen* says whether a copy of the page "
        "showed the price. Prices change: look before you rely on one."
    )
    head = ["", "dollars", "for one", "free a month", "page", "seen"]
    return [note, "", *table(head, rows(), text=6)]
