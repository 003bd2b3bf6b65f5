"""Services on this machine."""

import subprocess
import sys

from invoke.context import Context
from invoke.tasks import task

from tasking.shell import ROOT, finish, options, python

PORTS = {
    "backend-port": "where the backend listens",
    "page-port": "where the page listens",
    "report-port": "where the report function listens",
}


def local(*words: str) -> None:
    """Run services on this machine; if this process is killed, they see the end of their input and end too."""
    command = [sys.executable, "-m", "animals.local.child_process", "animals.local", *words]
    finish(subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE))  # noqa: S603


@task(help={"port": "where it listens on this machine"})
def serve(_: Context, port: int = 8000) -> None:
    """Serve the current model on http://localhost:8000.

    For example: invoke serve --port 8001
    """
    python("animals.serving", PORT=str(port))


@task(help=PORTS)
def up(_: Context, backend_port: int = 8080, page_port: int = 8501, report_port: int = 8082) -> None:
    """Start backend, page and report function, until Ctrl-C.

    For example: invoke up --page-port 8601
    """
    local("up", *options(backend_port=backend_port, page_port=page_port, report_port=report_port))


@task(
    help={
        **PORTS,
        "args": 'Hydra overrides of the training, if there is no model yet, as in --args "trainer.epochs=4"',
        "once": "write the report into reports.zip and end, instead of running until Ctrl-C",
    }
)
def demo(
    _: Context,
    args: str = "",
    once: bool = False,
    backend_port: int = 8080,
    page_port: int = 8501,
    report_port: int = 8082,
) -> None:
    """Start them with some traffic and feedback to look at.

    A model is trained on the sample first, if there is none yet.

    For example: invoke demo --once --args "trainer.epochs=4"
    """
    ports = options(backend_port=backend_port, page_port=page_port, report_port=report_port)
    local("demo", *options(args=args, once=once), *ports)


@task(help={"days": "to look at"})
def decide(_: Context, days: int = 7) -> None:
    """Decide from feedback and drift whether to train again.

    If it is time and ANIMALS_TRIGGER says whom, a training is asked for.

    For example: invoke decide --days 14
    """
    python("animals.monitoring.retrain_check", "--days", str(days))
