"""The report function as the page sees it."""

from datetime import date
from typing import Final

from pydantic import Field

from animals.frontend.http_client import Service, View

REPORT_SECONDS: Final = 300.0
"""The first report after a long time reads what has come since then."""

_PATH: Final = "/generate_performance_report"


class JudgedDay(View):
    """Feedback on the answers of one day."""

    date: date
    records: int
    right: int


class FeedbackFigures(View):
    """Feedback on the version's answers."""

    records: int = 0
    right: int = 0
    accuracy: float | None = None
    interval: tuple[float, float] | None = None
    reference_accuracy: float | None = None
    by_day: tuple[JudgedDay, ...] = ()
    broken_count: int = 0
    needed: int = 0


class AskedDay(View):
    """What was asked on one day."""

    date: date
    records: int
    median_milliseconds: float | None = None


class AskedFigures(View):
    """What was asked of the version."""

    records: int = 0
    sampled: int = 0
    by_day: tuple[AskedDay, ...] = ()


class FeatureDrift(View):
    """How one column compares with the reference."""

    feature: str
    test: str
    statistic: float | None = None
    threshold: float | None = None
    drifted: bool


class Drift(View):
    """Whether the pictures that come are of another kind than those that the version was measured on."""

    checked: bool
    drifted: bool
    reason: str
    features: tuple[FeatureDrift, ...] = ()


class Decision(View):
    """Whether to train again."""

    retrain: bool
    reasons: tuple[str, ...] = ()


class Summary(View):
    """The report in numbers."""

    version: str
    days: int = 7
    feedback: FeedbackFigures = Field(default_factory=FeedbackFigures)
    predictions: AskedFigures = Field(default_factory=AskedFigures)
    drift: Drift | None = None
    days_drifted: int = 0
    pictures: int = 0
    decision: Decision | None = None


class Reports:
    """Asks the report function; each method fails as `Service.ask` does."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def summary(self, days: int) -> Summary:
        """The report on the last days in numbers."""
        return self._service.read(
            Summary, "GET", _PATH, seconds=REPORT_SECONDS, params={"format": "json", "days": str(days)}
        )

    def archive(self, days: int) -> bytes:
        """The report itself, a zip file."""
        return self._service.ask("GET", _PATH, seconds=REPORT_SECONDS, params={"days": str(days)}).content
