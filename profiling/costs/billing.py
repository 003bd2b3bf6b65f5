"""From what is used to dollars, after the free amounts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from costs.measured import Measured
from costs.model import Line, Month, use
from costs.tables import Assumption, Price


def bill(lines: Sequence[Line], prices: Mapping[str, Price]) -> list[float]:
    """Dollars of each line. What is free of a price is shared by the lines that have it, in proportion."""
    used: dict[str, float] = {}
    for line in lines:
        used[line.price] = used.get(line.price, 0.0) + line.amount
    paid = {name: max(0.0, 1 - prices[name].free / amount) if amount else 0.0 for name, amount in used.items()}
    return [line.amount * paid[line.price] * prices[line.price].per for line in lines]


@dataclass(kw_only=True, slots=True, frozen=True)
class Bill:
    """What a month costs."""

    pictures: float
    lines: list[Line]
    dollars: list[float]

    @property
    def total(self) -> float:
        """Dollars."""
        return sum(self.dollars)

    @property
    def parts(self) -> dict[str, float]:
        """Dollars of each part of the system."""
        found: dict[str, float] = {}
        for line, cost in zip(self.lines, self.dollars, strict=True):
            found[line.part] = found.get(line.part, 0.0) + cost
        return found


def cost(
    pictures: float,
    assumptions: Mapping[str, Assumption],
    measured: Measured,
    prices: Mapping[str, Price],
    *,
    always: int = 0,
) -> Bill:
    """What a month with so many pictures costs.

    Args:
        pictures: in the month.
        assumptions: all of them.
        measured: seconds and bytes.
        prices: all of them.
        always: instances of the backend that are kept when nobody asks.
    """
    values = {name: it.value for name, it in assumptions.items()}
    lines = use(Month(pictures=pictures, of=values, measured=measured, always=always))
    return Bill(pictures=pictures, lines=lines, dollars=bill(lines, prices))


def free_until(price: str, *, used: Callable[[float], list[Line]], free: float) -> float:
    """Pictures a month up to which a price's free amount is enough: 0 if it never is, infinity if always."""

    def enough(pictures: float) -> bool:
        return sum(line.amount for line in used(pictures) if line.price == price) <= free

    low, high = 1.0, 1e9
    if not enough(low):
        return 0.0
    if enough(high):
        return float("inf")
    while high / low > 1.001:
        middle = (low * high) ** 0.5
        low, high = (middle, high) if enough(middle) else (low, middle)
    return low
