"""Benchmarks that are tasks; the others are run as `python -m profiling.NAME`."""

from profiling.options import cost_parser, load_test_parser
from tasking.forward import module_task

load_test = module_task(
    "load-test",
    """Load-test a backend with simulated users.

    The report is written into reports/load_test/, or where --out says.

    For example: invoke load-test --users 20 --seconds 30 --bucket build/candidate
    """,
    "profiling.serving.load_test",
    load_test_parser(),
)

cost = module_task(
    "cost",
    """Estimate what a month on Google Cloud costs.

    The estimate is written into docs/cost.md; with other assumptions it is only printed.

    For example: invoke cost --trainings 8 --feedback 0.1
    """,
    "profiling.cost",
    cost_parser(),
)
