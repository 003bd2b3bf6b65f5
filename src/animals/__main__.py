"""`animals`, or `python -m animals`: what a person does with a published model at the command line."""

import argparse
from collections.abc import Sequence

from animals.cli import exit_on_error


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line; ends the process when it makes no sense."""
    parser = argparse.ArgumentParser(prog="animals", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser(
        "classify", help="say what is on any number of pictures", description=classify.__doc__
    )
    command.add_argument(
        "sources", nargs="+", metavar="PICTURES", help='folders, files, "patterns/**/*.jpg" or gs://name/prefix'
    )
    command.add_argument("--out", required=True, help="the table that is written, such as predictions.parquet")
    command.add_argument("--version", help="of the model [the one that serves]")
    command.add_argument("--workers", type=_count, help="processes at work [one for each CPU]")
    command.add_argument("--engine", choices=("local", "ray"), default="local", help="who hands out the work [local]")
    command.set_defaults(run=classify)
    return parser.parse_args(words)


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError("at least 1 is needed")
    return count


def classify(arguments: argparse.Namespace) -> None:
    """Classify pictures into a Parquet table; the model is that of ANIMALS_BUCKET. The same command goes on."""
    from animals.bulk import command

    command.classify(
        arguments.sources,
        arguments.out,
        version=arguments.version,
        workers=arguments.workers,
        engine=arguments.engine,
    )


def main() -> None:
    """Run one command, with errors as one sentence and an exit code."""
    arguments = parse()
    with exit_on_error():
        arguments.run(arguments)


if __name__ == "__main__":
    main()
