"""Commands that run the services on this machine."""

import os
import sys
from typing import Annotated

from typer import Argument, Option, Typer

app = Typer()

BackendPort = Annotated[int, Option(min=1, max=65535, help="port of the backend")]
PagePort = Annotated[int, Option(min=1, max=65535, help="port of the page")]
ReportPort = Annotated[int, Option(min=1, max=65535, help="port of the report function")]


@app.command()
def serve(port: Annotated[int, Option(min=1, max=65535, help="port to listen on")] = 8000) -> None:
    """Serve the current model on http://localhost:8000.

    For example: animals serve --port 8001
    """
    from animals.serving.__main__ import serve

    os.environ["PORT"] = str(port)
    serve()


@app.command()
def up(backend_port: BackendPort = 8080, page_port: PagePort = 8501, report_port: ReportPort = 8082) -> None:
    """Start backend, page and report function, until Ctrl-C.

    For example: animals up --page-port 8601
    """
    from animals.local.services import Ports
    from animals.local.up import up

    up(Ports(backend_port, page_port, report_port))


@app.command()
def demo(
    overrides: Annotated[
        list[str],
        Argument(metavar="OVERRIDE", help="Hydra overrides of the training, if there is no model yet"),
    ] = [],
    once: Annotated[
        bool, Option("--once", help="write the report into reports.zip and end, instead of running until Ctrl-C")
    ] = False,
    backend_port: BackendPort = 8080,
    page_port: PagePort = 8501,
    report_port: ReportPort = 8082,
) -> None:
    """Start the services with sample traffic and feedback.

    A model is trained on the sample first, if there is none yet.

    For example: animals demo --once trainer.epochs=4
    """
    from animals.local.demo import demo
    from animals.local.services import Ports

    demo(Ports(backend_port, page_port, report_port), overrides, once=once)


@app.command()
def decide(days: Annotated[int, Option(help="days to consider")] = 7) -> None:
    """Decide from feedback and drift whether to train again.

    If it is time, and ANIMALS_TRIGGER names where to ask, a training is requested. ANIMALS_TRIGGER is print,
    pubsub://projects/PROJECT/topics/TOPIC or github://OWNER/REPOSITORY.

    For example: animals decide --days 14
    """
    from animals.monitoring.retrain_check import run

    sys.stdout.write(run(days))
