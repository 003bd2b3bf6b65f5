"""Start the backend: `python -m animals.serving`; PORT and ANIMALS_HOST set the address."""

import gc
import logging
import logging.config
import signal
import socket
import sys
from typing import TYPE_CHECKING, Final

from pydantic import SecretStr

from animals.cli import exit_on_error
from animals.config.settings import listen, parse_no_arguments, read_settings
from animals.serving.logs import log_config
from animals.serving.model_reloader import ModelReloader, make_reloader
from animals.serving.settings import BackendSettings
from animals.serving.tokens import signing_key

if TYPE_CHECKING:
    from fastapi import FastAPI

logger = logging.getLogger("animals.serving")

GRACE_SECONDS: Final = 6
"""For requests in progress after SIGTERM; then the prediction log is stored. Cloud Run kills after ten."""


def main() -> None:
    """Answer --help, or serve."""
    parse_no_arguments("python -m animals.serving", "Serve the promoted model in the bucket.", BackendSettings)
    serve()


def serve() -> None:
    """Serve until SIGTERM or Ctrl+C."""
    # uvicorn repeats the signal that ended it, which would end the process with an error
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))
    with exit_on_error():
        settings = read_settings(BackendSettings)
        logging.config.dictConfig(log_config(settings))
        logging.captureWarnings(True)  # libraries' warnings become log lines too
        # a missing key must be reported before anything is loaded
        settings = settings.model_copy(update={"secret": SecretStr(signing_key(settings))})
        with make_reloader(settings) as reloader:  # downloads the model while libraries are imported
            app = _import_app(settings, reloader)
            with listen(settings.address, otherwise="PORT=8001 python -m animals.serving") as listener:
                _serve(app, settings, listener)


def _import_app(settings: BackendSettings, reloader: ModelReloader) -> "FastAPI":
    gc.disable()  # imports leave no garbage, and looking for it takes a sixth of the time
    try:
        from animals.serving.app import create_app

        return create_app(settings, reloader)
    finally:
        gc.freeze()
        gc.enable()


def _serve(app: "FastAPI", settings: BackendSettings, listener: socket.socket) -> None:
    import uvicorn

    from animals.serving.middleware.http_limits import LimitedHttpProtocol

    class Server(uvicorn.Server):
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            app.state.uploads.shut_down()
            await super().shutdown(sockets)

    config = uvicorn.Config(
        app,
        http=LimitedHttpProtocol,
        log_config=None,
        ws="none",  # uvicorn would import a library for websockets if one is installed
        access_log=False,  # it would contain clients' addresses; `access.py` logs requests without them
        forwarded_allow_ips="*" if settings.in_cloud else None,  # only Cloud Run's proxy reaches the container
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    host, port = listener.getsockname()[:2]
    logger.info("Listening on http://%s:%d - open /docs there to try it; Ctrl+C stops it.", host, port)
    Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
