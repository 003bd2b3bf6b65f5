"""`animals COMMAND`, or `python -m animals COMMAND`."""


def main() -> None:
    """Run one command."""
    from animals.commands import app  # processes that a command starts import this module too, and need no command line

    app(prog_name="animals")


if __name__ == "__main__":
    main()
