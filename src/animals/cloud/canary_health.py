"""Health of a revision that has a share of the traffic, by the statuses in Cloud Run's request log."""

import time
from collections.abc import Callable, Sequence
from typing import Final

from animals.cloud.gcloud import Command, Gcloud
from animals.cloud.target import Target
from animals.errors import CloudError

WATCH_SECONDS: Final = 300.0
"""How long a revision that gets a tenth of the requests is observed."""

MAX_ERRORS: Final = 5
"""A revision is unhealthy with this many errors and a larger share than the next: the same as the alert Errors."""
MAX_ERROR_RATE: Final = 0.02

ENTRIES: Final = 5000
"""Entries of the log that are read, at most: the newest."""


def check_error_rate(statuses: Sequence[int], revision: str) -> None:
    """Raise a CloudError if too many responses of a revision, given by their HTTP statuses, are server errors."""
    errors = [status for status in statuses if status >= 500]
    if len(errors) >= MAX_ERRORS and len(errors) > MAX_ERROR_RATE * len(statuses):
        raise CloudError(
            f"{revision} answered {len(errors)} of {len(statuses)} requests with errors ({min(errors)} to "
            f"{max(errors)}); {MAX_ERROR_RATE:.0%} are allowed"
        )


def _read_statuses(target: Target, revision: str, seconds: float) -> Command:
    """Return the command that reads a revision's statuses of the last seconds, one per line."""
    log_filter = (
        f'resource.type="cloud_run_revision" AND resource.labels.revision_name="{revision}" '
        f'AND log_id("run.googleapis.com/requests")'
    )
    words = (
        *("gcloud", "logging", "read", log_filter, f"--project={target.project}"),
        *(f"--freshness={max(60, round(seconds))}s", f"--limit={ENTRIES}", "--format=value(httpRequest.status)"),
    )
    return Command(words, f"read the statuses of {revision}")


def watch(
    target: Target, gcloud: Gcloud, revision: str, test: Callable[[], None], *, seconds: float, every: float
) -> None:
    """Test a revision repeatedly for some time, and check the error rate of all its responses.

    The log includes the requests of other clients; the tests make sure that there are requests at all.

    Raises:
        AnimalsError: a test failed, or the error rate is too high.
    """
    start = time.monotonic()
    while True:
        test()
        output = gcloud.output(_read_statuses(target, revision, time.monotonic() - start + every))
        check_error_rate([int(line) for line in output.split() if line.isdecimal()], revision)
        left = start + seconds - time.monotonic()
        if left <= 0 or gcloud.dry_run:
            return
        time.sleep(min(every, left))
