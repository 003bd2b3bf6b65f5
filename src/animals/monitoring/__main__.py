"""Serve the report function on this machine: `python -m animals.monitoring`; PORT and ANIMALS_HOST set the address."""

import logging
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Final

from animals.cli import exit_on_error
from animals.config.settings import listen, parse_no_arguments, read_settings
from animals.monitoring.settings import MAX_REPORTS, ReportSettings

THREADS: Final = MAX_REPORTS + 2
"""Requests at a time: two besides the reports."""

logger = logging.getLogger("animals.monitoring")


def main() -> None:
    """Serve until SIGTERM or Ctrl+C."""
    parse_no_arguments("python -m animals.monitoring", "Serve reports on what the bucket holds.", ReportSettings)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # until the server handles it
    logging.basicConfig(level=logging.INFO, format="%(levelname)-8s %(message)s")
    with exit_on_error():
        listener = listen(read_settings(ReportSettings).address, otherwise="PORT=8083 python -m animals.monitoring")
    _serve(listener)


def _serve(listener: socket.socket) -> None:
    """Serve with the framework's own server, which ends the process."""
    from functions_framework import create_app
    from functions_framework._http import create_server

    host, port = listener.getsockname()[:2]
    source = str(Path(__file__).with_name("main.py"))
    app = create_app("generate_performance_report", source)  # type: ignore[no-untyped-call]
    logger.info("Reports: http://%s:%d/generate_performance_report - stop with Ctrl+C.", host, port)
    if os.name == "posix":
        # hand over the socket: no other program can take the port in between
        options = {"bind": f"fd://{listener.detach()}", "threads": THREADS, "control_socket_disable": True}
    else:  # pragma: no cover - there is no gunicorn
        listener.close()
        options = {}
    create_server(app, debug=False, **options).run(host, port)  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
