"""Whether a revision holds while some of the visitors ask it: what Cloud Run's log says of its answers."""

import time
from collections.abc import Callable, Sequence
from typing import Final

from animals.cloud.gcloud import Command, Gcloud
from animals.cloud.target import Place
from animals.errors import CloudError

WATCH_SECONDS: Final = 300.0
"""How long a revision that gets a tenth of the requests is observed."""

ERRORS: Final = 5
"""As many, and a larger share than the next: the same as the alert Errors (docs/design/alerts.md)."""
SHARE: Final = 0.02

ENTRIES: Final = 5000
"""Of the log that are read at most, the newest."""


def judge(statuses: Sequence[int], revision: str) -> None:
    """Say whether these answers will do.

    Args:
        statuses: of HTTP, one for each answer.
        revision: that gave them.

    Raises:
        CloudError: too many are errors of the service.
    """
    errors = [status for status in statuses if status >= 500]
    if len(errors) >= ERRORS and len(errors) > SHARE * len(statuses):
        raise CloudError(
            f"{revision} answered {len(errors)} of {len(statuses)} requests with errors ({min(errors)} to "
            f"{max(errors)}); {SHARE:.0%} are allowed"
        )


def answers(place: Place, revision: str, seconds: float) -> Command:
    """The command that reads how a revision answered in the last seconds: a status a line."""
    wanted = (
        f'resource.type="cloud_run_revision" AND resource.labels.revision_name="{revision}" '
        f'AND log_id("run.googleapis.com/requests")'
    )
    return Command(
        (
            *("gcloud", "logging", "read", wanted, f"--project={place.project}"),
            *(f"--freshness={max(60, round(seconds))}s", f"--limit={ENTRIES}", "--format=value(httpRequest.status)"),
        ),
        f"read how {revision} answered",
    )


def watch(
    place: Place, gcloud: Gcloud, revision: str, test: Callable[[], None], *, seconds: float, every: float
) -> None:
    """Look at a revision for so long: test it again and again, and judge what its visitors got.

    The log is what counts, since it has the visitors' pictures and not only ours. The tests see to it that there is
    something in it where nobody comes at the moment.

    Raises:
        AnimalsError: a test failed, or too many answers were errors.
    """
    begun = time.monotonic()
    while True:
        test()
        judge(_statuses(place, gcloud, revision, time.monotonic() - begun + every), revision)
        left = begun + seconds - time.monotonic()
        if left <= 0 or gcloud.dry_run:
            return
        time.sleep(min(every, left))


def _statuses(place: Place, gcloud: Gcloud, revision: str, seconds: float) -> list[int]:
    text = gcloud.output(answers(place, revision, seconds))
    return [int(line) for line in text.split() if line.isdecimal()]
