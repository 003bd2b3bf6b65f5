"""Which pages are generated, and by what."""

from collections.abc import Callable, Mapping
from typing import Final

from docs.generate.bucket import bucket_page
from docs.generate.commands import commands_page
from docs.generate.configuration import configuration_page
from docs.generate.environment import environment_page
from docs.generate.errors import errors_page
from docs.generate.metrics import metrics_page
from docs.generate.routes import routes_page

PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "reference/tasks.md": commands_page,
    "reference/settings.md": configuration_page,
    "reference/http.md": routes_page,
    "reference/bucket.md": bucket_page,
    "reference/metrics.md": metrics_page,
    "reference/environment.md": environment_page,
    "reference/errors.md": errors_page,
}
"""Path in the site -> what writes it."""
