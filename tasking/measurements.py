"""Measurements."""

from invoke.context import Context
from invoke.tasks import task

from tasking.shell import options, python


@task(
    name="load-test",
    help={
        "users": "who come one to three seconds apart",
        "seconds": "that are counted",
        "host": "URL of a running backend; without one, a backend is started on one CPU and stopped again",
        "bucket": "whose version that backend serves; by default one with a seeded network",
        "p95": "ms that one answer in 20 may exceed; if more do, the test fails",
        "out": "folder that gets the report",
    },
)
def load_test(
    _: Context,
    users: int = 50,
    seconds: int = 60,
    host: str = "",
    bucket: str = "",
    p95: int = 0,
    out: str = "reports/load_test",
) -> None:
    """Let users come to a backend, and write what they saw.

    The report is written into reports/load_test/, or where --out says.

    For example: invoke load-test --users 20 --seconds 30 --bucket build/candidate
    """
    given = options(users=users, seconds=seconds, host=host, bucket=bucket, p95=p95, out=out)
    python("profiling.serving.load_test", *given)


@task(
    help={
        "feedback": "share of the pictures that somebody judges",
        "consent": "share of the judgements that come with the picture to keep",
        "page": "share of the pictures that come by the web page",
        "upload-bytes": "bytes of a picture that is sent",
        "trainings": "trainings a month",
        "assume": "TOML file with these and all others, like profiling/cost.toml",
    }
)
def cost(
    _: Context,
    feedback: str = "",
    consent: str = "",
    page: str = "",
    upload_bytes: str = "",
    trainings: str = "",
    assume: str = "",
) -> None:
    """Work out what a month on Google Cloud costs.

    It is written into docs/cost.md; with other assumptions it is only shown.

    For example: invoke cost --trainings 8 --feedback 0.1
    """
    given = {"feedback": feedback, "consent": consent, "page": page, "upload_bytes": upload_bytes}
    python("profiling.cost", *options(**given, trainings=trainings, assume=assume))
