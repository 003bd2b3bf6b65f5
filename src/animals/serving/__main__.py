"""Start the backend: `python -m animals.serving`; PORT and ANIMALS_HOST say where it listens."""

import gc
import logging
import logging.config
import signal
import socket
import sys
from typing import TYPE_CHECKING, Final

from pydantic import SecretStr

from animals.cli import exit_on_error
from animals.config.listening import listen, parse_no_arguments
from animals.config.settings import ServiceSettings, read_settings
from animals.serving.logs import log_config
from animals.serving.model_reloader import Watcher, make_watcher
from animals.serving.tokens import signing_key

if TYPE_CHECKING:
    from fastapi import FastAPI

logger = logging.getLogger("animals.serving")

GRACE_SECONDS: Final = 6
"""For answers in progress after SIGTERM; then the prediction log is stored. Cloud Run kills after ten."""


def main() -> None:
    """Answer --help, or serve."""
    parse_no_arguments(
        "python -m animals.serving", "Serve the model that the bucket says shall serve.", ServiceSettings
    )
    serve()


def serve() -> None:
    """Serve until SIGTERM or Ctrl+C.

    Raises:
        SystemExit: 0 after a wanted end, 2 for an impossible setting, 1 if the port cannot be had.
    """
    # uvicorn repeats the signal that ended it, which would end the process with an error
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))
    with exit_on_error():
        settings = read_settings()
        logging.config.dictConfig(log_config(settings))
        logging.captureWarnings(True)  # libraries' too are lines of the log
        settings = settings.model_copy(update={"secret": SecretStr(signing_key(settings))})  # told before all else
        with make_watcher(settings) as watcher:  # from here on the model comes, while libraries are imported
            app = _import_app(settings, watcher)
            with listen(settings.address, otherwise="PORT=8001 python -m animals.serving") as listener:
                _serve(app, settings, listener)


def _import_app(settings: ServiceSettings, watcher: Watcher) -> "FastAPI":
    gc.disable()  # nothing that is imported goes away: looking for that is a sixth of the time
    try:
        from animals.serving.app import create_app

        return create_app(settings, watcher)
    finally:
        gc.freeze()
        gc.enable()


def _serve(app: "FastAPI", settings: ServiceSettings, listener: socket.socket) -> None:
    import uvicorn

    from animals.serving.middleware.http_limits import Connection

    class Server(uvicorn.Server):
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            app.state.bodies.end()
            await super().shutdown(sockets)

    config = uvicorn.Config(
        app,
        http=Connection,
        log_config=None,
        ws="none",  # else uvicorn imports a library for them, where it finds one
        access_log=False,  # it would hold visitors' addresses; `access.py` writes better lines
        forwarded_allow_ips="*" if settings.in_cloud else None,  # only Cloud Run's proxy reaches the container
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    host, port = listener.getsockname()[:2]
    logger.info("Listening on http://%s:%d - open /docs there to try it; Ctrl+C ends it.", host, port)
    Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
