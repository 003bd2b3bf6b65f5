"""Start the page: `python -m animals.frontend`; PORT and ANIMALS_HOST say where it listens."""

from pathlib import Path

from animals.cli import exit_on_error
from animals.config.settings import parse_no_arguments, read_settings
from animals.frontend.settings import PageSettings

APP = Path(__file__).with_name("app.py")


def main() -> None:
    """Serve the page until SIGTERM or Ctrl+C."""
    parse_no_arguments("python -m animals.frontend", "Serve the web page.", PageSettings)
    with exit_on_error():
        settings = read_settings(PageSettings)
    _run(settings)


def _run(settings: PageSettings) -> None:
    from streamlit.web.cli import main as streamlit

    host, port = settings.address
    # Options that do not depend on the machine are in .streamlit/config.toml, for `streamlit run` too. Without
    # browser.serverAddress Streamlit would ask a service on the internet for this machine's address.
    options = {"server.address": host, "server.port": port, "browser.serverAddress": host}
    streamlit(["run", str(APP), *(f"--{name}={value}" for name, value in options.items())])


if __name__ == "__main__":
    main()
